//! `narrows verify`

use super::{Common, Failure};
use clap::Args;

#[derive(Args)]
pub(super) struct Verify {
    #[command(flatten)]
    common: Common,
}

impl Verify {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let _ = &self.common;
        Err(Failure::Check)
    }
}
