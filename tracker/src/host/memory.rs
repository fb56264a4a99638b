//! Memory: how much there is, how much the tracker may take, how much it takes.

use super::Host;

/// The part of all memory that swarms may take unless the operator sets another budget: a quarter.
pub const DEFAULT_BUDGET_DIVISOR: u64 = 4;

/// The budget where the host does not tell its memory.
pub const UNKNOWN_BUDGET_BYTES: u64 = 256 << 20;

impl Host {
    /// The default budget: a quarter of the machine's memory or of the control group's limit, whichever is smaller.
    pub fn default_budget_bytes(&self) -> u64 {
        let limits = [self.machine_bytes(), self.control_group_bytes()];
        limits.into_iter().flatten().min().map_or(UNKNOWN_BUDGET_BYTES, |bytes| bytes / DEFAULT_BUDGET_DIVISOR)
    }

    /// Memory of the machine.
    pub fn machine_bytes(&self) -> Option<u64> {
        kilobytes(&self.read("/proc/meminfo")?, "MemTotal")
    }

    /// The tightest memory limit among this process's control groups (version 2 or 1) and those around them.
    pub fn control_group_bytes(&self) -> Option<u64> {
        let (groups, mounts) = (self.read("/proc/self/cgroup")?, self.read("/proc/self/mountinfo")?);
        let limits = hierarchies(&groups, &mounts);
        limits.iter().flat_map(Hierarchy::files).filter_map(|file| limit(&self.read(&file)?)).min()
    }

    /// Memory that this process takes, code and sockets' user side included.
    pub fn resident_bytes(&self) -> Option<u64> {
        kilobytes(&self.read("/proc/self/status")?, "VmRSS")
    }
}

/// Where one version of control groups shows the limits of this process.
#[derive(Debug, PartialEq, Eq)]
struct Hierarchy {
    mount: String,
    /// Of the process's group, below the mount; empty for the mount itself.
    group: String,
    file: &'static str,
}

impl Hierarchy {
    /// The limit files of the group and of every group around it.
    fn files(&self) -> Vec<String> {
        let mut group = self.group.as_str();
        let mut files = vec![];
        loop {
            files.push(format!("{}{group}/{}", self.mount, self.file));
            match group.rfind('/') {
                Some(at) => group = &group[..at],
                None => return files,
            }
        }
    }
}

/// Joins `/proc/self/cgroup` and `/proc/self/mountinfo`.
fn hierarchies(groups: &str, mounts: &str) -> Vec<Hierarchy> {
    let mut found = vec![];
    for group in groups.lines() {
        let mut fields = group.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else { continue };
        let is_v2 = controllers.is_empty();
        if !is_v2 && !controllers.split(',').any(|name| name == "memory") {
            continue;
        }
        for mount in mounts.lines() {
            let Some((place, kind)) = mount.split_once(" - ") else { continue };
            let mut kind = kind.split(' ');
            let (filesystem, options) = (kind.next().unwrap_or_default(), kind.nth(1).unwrap_or_default());
            let fits = match filesystem {
                "cgroup2" => is_v2,
                "cgroup" => !is_v2 && options.split(',').any(|option| option == "memory"),
                _ => false,
            };
            let (Some(root), Some(point)) = (place.split(' ').nth(3), place.split(' ').nth(4)) else { continue };
            if !fits {
                continue;
            }
            // In a container the mount may show a part of the tree only. A path outside of it starts at the mount.
            let group = path.strip_prefix(root.trim_end_matches('/')).unwrap_or_default().trim_end_matches('/');
            let group = if group.starts_with('/') && !group.contains("/..") { group } else { "" };
            found.push(Hierarchy {
                mount: unescaped(point).trim_end_matches('/').to_owned(),
                group: group.to_owned(),
                file: if is_v2 { "memory.max" } else { "memory.limit_in_bytes" },
            });
        }
    }
    found
}

/// mountinfo writes blanks as octal escapes.
fn unescaped(path: &str) -> String {
    path.replace("\\040", " ").replace("\\134", "\\")
}

/// A limit file's number; `max`, and version 1's number near 2^63, mean none.
fn limit(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|&bytes| bytes > 0 && bytes < 1 << 60)
}

/// The value of `Name:   123 kB`, in bytes.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::tests::host;

    const MEMINFO: &str = "MemTotal:       24684096 kB\nMemFree:        10239712 kB\n";

    #[test]
    fn without_control_groups_the_budget_is_a_quarter_of_the_machine() {
        let (_folder, host) = host(&[("proc/meminfo", MEMINFO)]);
        assert_eq!(host.default_budget_bytes(), 24_684_096 * 1024 / 4);
    }

    #[test]
    fn the_tightest_group_around_the_process_counts_in_version_2() {
        let (_folder, host) = host(&[
            ("proc/meminfo", MEMINFO),
            ("proc/self/cgroup", "0::/system.slice/peerfeed-tracker.service\n"),
            ("proc/self/mountinfo", "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"),
            ("sys/fs/cgroup/system.slice/peerfeed-tracker.service/memory.max", "max\n"),
            ("sys/fs/cgroup/system.slice/memory.max", "1073741824\n"),
        ]);
        assert_eq!(host.control_group_bytes(), Some(1 << 30));
        assert_eq!(host.default_budget_bytes(), 1 << 28);
    }

    #[test]
    fn version_1_beside_version_2_is_read_from_its_own_mount() {
        let (_folder, host) = host(&[
            ("proc/meminfo", MEMINFO),
            ("proc/self/cgroup", "4:memory:/docker/abc\n3:cpuset:/docker/abc\n0::/\n"),
            (
                "proc/self/mountinfo",
                "35 31 0:32 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                 36 31 0:33 /docker/abc /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n\
                 41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
            ),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "536870912\n"),
            ("sys/fs/cgroup/cpuset/memory.limit_in_bytes", "1\n"),
        ]);
        assert_eq!(host.control_group_bytes(), Some(1 << 29));
        assert_eq!(host.default_budget_bytes(), 1 << 27);
    }

    #[test]
    fn a_group_without_limit_or_above_the_machine_changes_nothing() {
        for text in ["9223372036854771712\n", "max", "0", "soon", "99999999999\n"] {
            let (_folder, host) = host(&[
                ("proc/meminfo", MEMINFO),
                ("proc/self/cgroup", "4:memory:/a/b\n"),
                ("proc/self/mountinfo", "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"),
                ("sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", text),
            ]);
            assert_eq!(host.default_budget_bytes(), 24_684_096 * 1024 / 4, "{text}");
        }
    }

    #[test]
    fn a_group_outside_of_the_mount_does_not_lead_out_of_it() {
        let hierarchies = hierarchies("0::/../../etc\n", "1 1 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
        assert_eq!(hierarchies[0].files(), ["/sys/fs/cgroup/memory.max"]);
    }

    #[test]
    fn a_host_that_tells_nothing_gets_a_modest_budget() {
        let (_folder, host) = host(&[]);
        assert_eq!((host.default_budget_bytes(), host.resident_bytes()), (UNKNOWN_BUDGET_BYTES, None));
    }

    #[test]
    fn this_process_takes_some_of_this_machine() {
        let host = Host::new();
        let resident = host.resident_bytes().unwrap();
        assert!(resident > 1 << 20 && resident < host.machine_bytes().unwrap(), "{resident}");
        assert!(host.default_budget_bytes() <= host.machine_bytes().unwrap() / 4);
    }
}
