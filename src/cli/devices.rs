//! `narrows devices`

use super::common::print;
use clap::Args;
use narrows::{Device, Result};
use serde_json::json;

#[derive(Args)]
pub(super) struct Devices {
    /// Prints one JSON document instead of text.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Devices) -> Result<()> {
    let list = Device::list();
    if args.json {
        let found = list.found.iter();
        let found: Vec<_> = found
            .map(|info| {
                let kind = info.kind.to_string();
                json!({ "id": info.id, "kind": kind, "name": info.name, "software": info.software, "rungs": info.rungs })
            })
            .collect();
        let absent: Vec<_> = list.absent.iter().map(|a| json!({ "kind": a.kind.to_string(), "reason": a.reason })).collect();
        return print(json!({ "found": found, "absent": absent }));
    }
    for info in list.found {
        let software = if info.software { ", in software" } else { "" };
        print(format_args!("{:<8} {}{software}; programs as {}", info.id, info.name, info.rungs.join(", ")))?;
    }
    for absent in list.absent {
        let kind = absent.kind.to_string();
        let reason = absent.reason.strip_prefix(&format!("{kind}: ")).unwrap_or(&absent.reason);
        print(format_args!("{kind:<8} absent: {reason}"))?;
    }
    Ok(())
}
