//! `narrows devices`

use super::print;
use narrows::{Device, Result};

pub(super) fn run() -> Result<()> {
    let list = Device::list();
    for info in list.found {
        let software = if info.software { ", in software" } else { "" };
        print(format_args!("{:<8} {}{software}", info.id, info.name))?;
    }
    for absent in list.absent {
        let kind = absent.kind.to_string();
        let reason = absent.reason.strip_prefix(&format!("{kind}: ")).unwrap_or(&absent.reason);
        print(format_args!("{kind:<8} absent: {reason}"))?;
    }
    Ok(())
}
