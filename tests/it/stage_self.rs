use crate::stage;
#[test]
fn starts() {
    let plane = stage::shared();
    assert_eq!(plane.context(), "plane");
}
