//! The parts that the integration tests of this repository use below the level of a command. This is not a stable
//! interface: everything else in the crate is private, so that the compiler finds unused code.

pub mod apply {
    pub mod transaction {
        pub use crate::apply::transaction::{Done, Undone, make, rehearse, roll_back};
    }
}

pub mod check {
    pub use crate::check::{CHECKS, Check};
    pub mod codes {
        pub use crate::check::codes::{ALL, FindingCode};
    }
}

pub mod cli {
    use std::ffi::OsString;

    use crate::cli::{Early, parse};
    use crate::error::{Exit, Failure};

    pub use crate::cli::{COMPLETION_VARIABLE, registration, scripts, tree};

    /// The exit codes in the help of the command on this line; `None` if it is not a valid command line.
    pub fn exits(line: impl IntoIterator<Item = OsString>) -> Option<&'static [Exit]> {
        parse(line).ok().map(|invocation| crate::cli::exits(&invocation.words))
    }

    /// Why this is not a valid command line.
    pub fn refusal(line: impl IntoIterator<Item = OsString>) -> Option<Failure> {
        match parse(line) {
            Ok(_) | Err(Early::Text(_)) => None,
            Err(Early::Usage { failure, .. } | Early::Refused { failure, .. }) => Some(failure),
        }
    }
}

pub mod command {
    pub use crate::command::{Driver, TypedTarget, gloo_rs, helm, kubectl};
}

pub mod error {
    pub use crate::error::{Exit, Failure, Reason};
}

pub mod flow {
    use std::ffi::OsString;

    use crate::error::Exit;
    use crate::kube::Trace;
    use crate::options::{Loudness, When};
    use crate::ui::Ui;

    /// Runs a command line in this process and passes each of its requests to `trace`. It does not handle signals.
    pub fn run_traced(line: impl IntoIterator<Item = OsString>, trace: Trace) -> Exit {
        let invocation = crate::cli::parse(line).expect("a test writes command lines");
        crate::flow::run_traced(&invocation, trace, &mut Ui::new(When::Never, Loudness::Quiet))
    }
}

pub mod kube {
    pub use crate::kube::{
        ApiCause, ApiError, ClusterContext, DryRun, Environment, Exchange, ForwardCause, ForwardFailure, InPod,
        Insecure, KubeconfigFiles, Query, Scope, Session, Target, Trace, Verb, Withheld,
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

pub mod plan {
    pub mod address {
        pub use crate::plan::address::Address;
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
            Announced, Behind, Declared, Facts, Membership, Negotiated, Pod, ProxyState, Sends, Shows, Verdict, judge,
        };
    }
    pub mod peer {
        pub use crate::plan::peer::{Effective, Mode};
    }
    pub mod routes {
        pub use crate::plan::routes::RouteTarget;
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

pub mod text {
    pub use crate::text::{Host, Scheme};
}

pub mod yaml {
    pub use crate::yaml::parse;
}
