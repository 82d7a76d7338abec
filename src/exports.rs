//! What the integration tests of this repository reach below the level of a command. It is not a stable interface:
//! everything else of the crate is private to it, so that the compiler sees what nothing uses.

pub mod apply {
    pub mod transaction {
        pub use crate::apply::transaction::{Done, Undone, make, rehearse, take_back};
    }
}

pub mod check {
    pub use crate::check::CHECKS;
    pub mod codes {
        pub use crate::check::codes::{ALL, Code};
    }
}

pub mod cli {
    pub use crate::cli::{COMPLETION_VARIABLE, Early, Invocation, exits, parse, registration, scripts, tree};
}

pub mod command {
    pub use crate::command::{Driver, Target, gloo_rs, helm, kubectl};
}

pub mod error {
    pub use crate::error::{Exit, Failure, Reason};
}

pub mod flow {
    pub use crate::flow::run_traced;
}

pub mod kube {
    pub use crate::kube::{
        ApiError, Cause, ClusterContext, DryRun, Environment, Exchange, ForwardCause, ForwardFailure, InPod,
        KubeconfigFiles, Query, Scope, Session, Target, Trace, Verb, Withheld,
    };
}

pub mod load {
    pub mod snapshot {
        pub use crate::load::snapshot::{Detail, Namespaces, Want, of_cluster, of_files, over};
    }
}

pub mod model {
    pub use crate::model::{Found, Kind, Object, ObjectRef, Snapshot};
    pub mod kinds {
        pub use crate::model::kinds::*;
    }
}

pub mod options {
    pub use crate::options::{Loudness, When};
}

pub mod plan {
    pub mod address {
        pub use crate::plan::address::{Address, Host, Scheme};
    }
    pub mod advice {
        pub use crate::plan::advice::{Advice, Code};
    }
    pub mod change {
        pub use crate::plan::change::Change;
    }
    pub mod outcome {
        pub use crate::plan::outcome::{Outcome, Row};
    }
    pub mod path {
        pub use crate::plan::path::{
            Announced, Behind, Declared, Facts, Membership, Pod, ProxyState, Sends, Shows, Verdict, judge,
        };
    }
    pub mod peer {
        pub use crate::plan::peer::{Effective, Mode};
    }
    pub mod routes {
        pub use crate::plan::routes::Target;
    }
    pub mod ssl_config {
        pub use crate::plan::ssl_config::istio_ssl_config;
    }
}

pub mod render {
    pub mod address {
        pub use crate::render::address::value;
    }
    pub mod document {
        pub use crate::render::document::Document;
    }
    pub mod findings {
        pub use crate::render::findings::page;
    }
}

pub mod ui {
    pub use crate::ui::Ui;
}

pub mod yaml {
    pub use crate::yaml::parse;
}
