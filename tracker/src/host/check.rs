//! The look at the host on starting: what it lacks for a busy tracker, and the command that gives it.

use std::fmt;

use super::Host;

/// Files that the tracker opens besides connections and UDP sockets: logs, lists, certificates, the event queue.
pub const OTHER_FILES: u64 = 64;

/// Flows that connection tracking should hold: a tracker of 10,000 requests per second whose UDP entries live for 30 s
/// and whose TCP entries live for 120 s after closing.
pub const CONNTRACK_FLOWS: u64 = 1_000_000;

/// What the tracker needs from the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Receive buffer of one UDP socket, in bytes; 0 when there is no UDP.
    pub receive_buffer_bytes: u64,
    /// Connections and UDP sockets that may be open.
    pub sockets: u64,
    /// Connections that wait to be accepted.
    pub backlog: u64,
    /// Memory that the swarms may take, in bytes.
    pub memory_bytes: u64,
}

/// One thing that the host lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What is too small.
    pub subject: Subject,
    /// What there is.
    pub has: u64,
    /// What there should be.
    pub wants: u64,
}

/// What can be too small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// `net.core.rmem_max`.
    ReceiveBuffer,
    /// `RLIMIT_NOFILE`.
    OpenFiles,
    /// `net.core.somaxconn`.
    Backlog,
    /// `net.netfilter.nf_conntrack_max`.
    Conntrack,
    /// Memory of machine or control group.
    Memory,
}

impl Host {
    /// Everything that is too small, the most harmful first. What the host does not tell is not a finding.
    pub fn check(&self, needs: Needs, open_files_max: u64) -> Vec<Finding> {
        let memory = [self.machine_bytes(), self.control_group_bytes()].into_iter().flatten().min();
        // Beside the swarms there are connections, buffers and the program.
        let memory_wanted = needs.memory_bytes.saturating_add(needs.memory_bytes / 4);
        let files_wanted = needs.sockets.saturating_add(OTHER_FILES);
        let found = [
            (Subject::OpenFiles, Some(open_files_max), files_wanted),
            (Subject::Memory, memory, memory_wanted),
            (Subject::ReceiveBuffer, self.read_number("/proc/sys/net/core/rmem_max"), needs.receive_buffer_bytes),
            (Subject::Conntrack, self.read_number("/proc/sys/net/netfilter/nf_conntrack_max"), CONNTRACK_FLOWS),
            (Subject::Backlog, self.read_number("/proc/sys/net/core/somaxconn"), needs.backlog),
        ];
        found
            .into_iter()
            .filter_map(|(subject, has, wants)| Some(Finding { subject, has: has.filter(|&has| has < wants)?, wants }))
            .collect()
    }

    /// How full connection tracking is, from 0 to 1; `None` where there is none.
    pub fn conntrack_share(&self) -> Option<f64> {
        let flows = self.read_number("/proc/sys/net/netfilter/nf_conntrack_count")?;
        let max = self.read_number("/proc/sys/net/netfilter/nf_conntrack_max").filter(|&max| max > 0)?;
        #[allow(clippy::cast_precision_loss, reason = "a share for a person")]
        Some(flows as f64 / max as f64)
    }
}

/// What is lacking, what follows, and what to do.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { has, wants, .. } = self;
        match self.subject {
            Subject::ReceiveBuffer => write!(
                f,
                "the kernel grants UDP receive buffers of {has} bytes, a burst needs {wants}: datagrams will be lost \
                 unnoticed. Run: sysctl -w net.core.rmem_max={wants}"
            ),
            Subject::OpenFiles => write!(
                f,
                "this process may open {has} files, its connections need {wants}: clients will be turned away. \
                 Set LimitNOFILE={wants} in the service unit, or run: ulimit -n {wants}"
            ),
            Subject::Backlog => write!(
                f,
                "the kernel lets {has} connections wait, a burst needs {wants}. Run: sysctl -w net.core.somaxconn={wants}"
            ),
            Subject::Conntrack => write!(
                f,
                "connection tracking is on and holds {has} flows; when it is full, the kernel drops every new client. \
                 Exempt the tracker's ports from it, or run: sysctl -w net.netfilter.nf_conntrack_max={wants}"
            ),
            Subject::Memory => write!(
                f,
                "the machine or control group has {has} bytes of memory, swarms and connections may take {wants}: the \
                 kernel may end the tracker. Set a smaller memory budget"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::tests::host;

    const NEEDS: Needs =
        Needs { receive_buffer_bytes: 4 << 20, sockets: 10_000, backlog: 4096, memory_bytes: 64 << 20 };

    #[test]
    fn a_stock_machine_lacks_buffers_files_and_flows_and_each_line_says_what_to_do() {
        let (_folder, host) = host(&[
            ("proc/sys/net/core/rmem_max", "212992\n"),
            ("proc/sys/net/core/somaxconn", "128\n"),
            ("proc/sys/net/netfilter/nf_conntrack_max", "65536\n"),
            ("proc/meminfo", "MemTotal: 65536 kB\n"),
        ]);
        let findings = host.check(NEEDS, 1024);
        let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
        for (line, part) in lines.iter().zip([
            "LimitNOFILE=10064",
            "smaller memory budget",
            "sysctl -w net.core.rmem_max=4194304",
            "sysctl -w net.netfilter.nf_conntrack_max=1000000",
            "sysctl -w net.core.somaxconn=4096",
        ]) {
            assert!(line.contains(part), "{line}");
        }
        assert_eq!(findings.len(), 5);
        assert_eq!(findings[2], Finding { subject: Subject::ReceiveBuffer, has: 212_992, wants: 4 << 20 });
    }

    #[test]
    fn a_prepared_machine_and_one_that_tells_nothing_lack_nothing() {
        let (_folder, prepared) = host(&[
            ("proc/sys/net/core/rmem_max", "4194304\n"),
            ("proc/sys/net/core/somaxconn", "4096\n"),
            ("proc/meminfo", "MemTotal: 81920 kB\n"),
        ]);
        assert_eq!(prepared.check(NEEDS, 10_064), []);
        let (_folder, silent) = host(&[]);
        assert_eq!(silent.check(NEEDS, 10_064), []);
    }

    #[test]
    fn connection_tracking_tells_how_full_it_is() {
        let (_folder, tracking) = host(&[
            ("proc/sys/net/netfilter/nf_conntrack_count", "750\n"),
            ("proc/sys/net/netfilter/nf_conntrack_max", "1000\n"),
        ]);
        assert!((tracking.conntrack_share().unwrap() - 0.75).abs() < 1e-9);
        assert_eq!(host(&[]).1.conntrack_share(), None);
    }
}
