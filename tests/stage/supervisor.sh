# Owns one plane: makes its directory, says where it is, and waits for the test process to end.
# The test process holds the other end of standard input and puts every part of the plane in this
# shell's process group, so end of file, however it came about, takes everything down.
dir=$(mktemp -d "${TMPDIR:-/tmp}/gloo-rs-plane.XXXXXX") || exit 1
echo "$dir"
while read -r _; do :; done
# No part handles HUP, so it ends all of them but this shell, which still has to tidy up.
trap '' HUP
kill -HUP 0
# A part that is still writing may add a file while its directory goes.
rm -rf "$dir" || { sleep 1; rm -rf "$dir"; }
kill -KILL 0
