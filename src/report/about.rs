//! What a report says about a training beyond its measurements: kept in `run.json`, so that the page can be written
//! again.

use crate::{Device, Error, Result, files};
use serde_json::{Value, json};
use std::path::Path;
use std::time::SystemTime;

/// Goes up when the meaning of `run.json` changes.
const FORMAT: u64 = 1;

/// Where, when and how a network was trained.
#[derive(Clone, Debug, PartialEq)]
pub struct About {
    /// The command that repeats the training.
    pub command: String,
    /// The file of settings that the command reads, with every setting as it was used.
    pub config: Option<String>,
    /// The name under which the data are opened: `builtin` or a path.
    pub data: String,
    /// SHA-256 of all rows and labels, once [`crate::report::run`] has seen them.
    pub sha256: Option<String>,
    /// The device, and its name in the driver or the operating system.
    pub device: String,
    /// Processor and operating system.
    pub machine: String,
    /// The version of this crate.
    pub version: String,
    /// Seconds since 1970 in UTC when the training ended.
    pub ended: u64,
    /// Seconds of training alone.
    pub seconds: f64,
    /// Names and values of everything that the training depends on, in reading order.
    pub settings: Vec<(String, String)>,
}

impl About {
    /// This machine, this version and this moment; the settings are added later.
    pub fn new(device: &Device, data: &str, command: &str, seconds: f64) -> About {
        About {
            command: command.into(),
            config: None,
            data: data.into(),
            sha256: None,
            device: format!("{}: {}", device.id(), device.info().name),
            machine: machine(),
            version: env!("CARGO_PKG_VERSION").into(),
            ended: SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs()),
            seconds,
            settings: Vec::new(),
        }
    }

    /// Adds one setting.
    pub fn setting(mut self, name: &str, value: impl ToString) -> About {
        self.settings.push((name.into(), value.to_string()));
        self
    }

    /// The value of a setting.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.settings.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Reads `run.json`.
    ///
    /// # Errors
    /// When it is absent, or is not such a file.
    pub fn read(path: &Path) -> Result<About> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, "reading the record of the run", e))?;
        let bad = |problem: String| Error::data(path, problem, "Use the run.json of a folder that `narrows train` wrote.");
        let json: Value = serde_json::from_str(&text).map_err(|e| bad(format!("it is no JSON ({e})")))?;
        if json["format"].as_u64() != Some(FORMAT) {
            return Err(bad(format!("its format is {} where {FORMAT} is known", json["format"])));
        }
        let string = |name: &str| json[name].as_str().map(String::from).ok_or_else(|| bad(format!("its `{name}` is {}", json[name])));
        let pair = |pair: &Value| Some((pair[0].as_str()?.to_string(), pair[1].as_str()?.to_string()));
        let settings = json["settings"].as_array().and_then(|all| all.iter().map(pair).collect());
        Ok(About {
            command: string("command")?,
            config: json["config"].as_str().map(String::from),
            data: string("data")?,
            sha256: json["sha256"].as_str().map(String::from),
            device: string("device")?,
            machine: string("machine")?,
            version: string("version")?,
            ended: json["ended"].as_u64().ok_or_else(|| bad(format!("its `ended` is {}", json["ended"])))?,
            seconds: json["seconds"].as_f64().ok_or_else(|| bad(format!("its `seconds` is {}", json["seconds"])))?,
            settings: settings.ok_or_else(|| bad("its `settings` are not pairs of texts".into()))?,
        })
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let json = json!({
            "format": FORMAT, "command": self.command, "config": self.config, "data": self.data, "sha256": self.sha256, "device": self.device,
            "machine": self.machine, "version": self.version, "ended": self.ended, "seconds": self.seconds, "settings": self.settings,
        });
        files::write_atomic(path, |w| writeln!(w, "{json:#}"))
    }

    /// The day and the minute of the end in UTC: `2026-11-23 10:32 UTC`.
    pub(super) fn date(&self) -> String {
        let (days, minutes) = (self.ended / 86_400, self.ended % 86_400 / 60);
        // Years that begin in March (Hinnant, "chrono-compatible low-level date algorithms").
        let z = days + 719_468;
        let (era, day) = (z / 146_097, z % 146_097);
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let shifted = (5 * day + 2) / 153;
        let (month, day) = (if shifted < 10 { shifted + 3 } else { shifted - 9 }, day - (153 * shifted + 2) / 5 + 1);
        let year = year + era * 400 + u64::from(month <= 2);
        format!("{year}-{month:02}-{day:02} {:02}:{:02} UTC", minutes / 60, minutes % 60)
    }
}

/// The processor's name, its cores, and the operating system.
pub fn machine() -> String {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    // Only Linux has the processor's name in a file.
    let cpu = std::fs::read_to_string("/proc/cpuinfo").ok();
    let cpu = cpu.as_deref().and_then(|text| text.lines().find_map(|l| l.strip_prefix("model name")?.split_once(": ")));
    let name = cpu.map_or(arch, |(_, name)| name.trim());
    format!("{name}, {cores} core{}, {os} {arch}", if cores == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about() -> About {
        About::new(&Device::cpu().unwrap(), "builtin", "narrows train --data 'a b'", 1.5).setting("epochs", 10).setting("layers", "8,2")
    }

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        for about in [about(), About { sha256: Some("00ff".into()), config: Some("[fit]\nlr = 0.1\n".into()), ..about() }] {
            about.write(&path).unwrap();
            assert_eq!(About::read(&path).unwrap(), about);
        }
        for (text, said) in [("{", "no JSON"), ("{}", "its format is null"), ("{\"format\":1}", "its `settings` are not pairs")] {
            std::fs::write(&path, text).unwrap();
            let error = About::read(&path).unwrap_err().to_string();
            assert!(error.contains(said) || error.contains("its `command` is null"), "{error}");
        }
    }

    #[test]
    fn seconds_become_the_day_of_the_calendar() {
        for (ended, date) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (951_868_799, "2000-02-29 23:59 UTC"),
            (1_735_689_600, "2025-01-01 00:00 UTC"),
            (4_107_542_400, "2100-03-01 00:00 UTC"),
        ] {
            assert_eq!(About { ended, ..about() }.date(), date);
        }
    }
}
