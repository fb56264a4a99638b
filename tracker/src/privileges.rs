//! Giving up root once every port is bound.

use nix::errno::Errno;
use nix::sys::prctl;
use nix::unistd::{Gid, Group, Uid, User, geteuid, getgroups, getresgid, getresuid, setgroups, setresgid, setresuid};

/// Whom the tracker becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    uid: Uid,
    gid: Gid,
    name: String,
}

/// What became of the privileges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// The process is now this user, for good.
    To(String),
    /// It was not root to begin with, so there was nothing to give up.
    NotRoot,
}

/// Why privileges are kept. The tracker must not go on: its operator believes them gone.
#[derive(Debug, thiserror::Error)]
pub enum PrivilegeError {
    /// No such user.
    #[error("there is no user {0:?}: create one with `useradd --system {0}`")]
    NoUser(String),
    /// No such group.
    #[error("there is no group {0:?}: create one with `groupadd --system {0}`")]
    NoGroup(String),
    /// The account is root again.
    #[error("the user {0:?} is root: name another one")]
    IsRoot(String),
    /// The system cannot look accounts up.
    #[error("cannot look up {name:?}")]
    Lookup {
        /// User or group.
        name: String,
        /// What the system says.
        #[source]
        source: Errno,
    },
    /// The system refuses.
    #[error("cannot give up root ({step})")]
    Refused {
        /// What was tried.
        step: &'static str,
        /// What the system says.
        #[source]
        source: Errno,
    },
    /// The process is still root in part.
    #[error("root was given up, but could be taken back")]
    NotGone,
}

/// Whatever this thread, and those that it starts, may run later gets no more privileges than it has itself.
pub fn gain_no_more() {
    // Kernels have it since 2012; one without is no reason not to serve.
    let _ = prctl::set_no_new_privs();
}

impl Account {
    /// Looks `user` and `group` up; without a group it is the user's own one.
    pub fn find(user: &str, group: Option<&str>) -> Result<Self, PrivilegeError> {
        let lookup = |name: &str| {
            let name = name.to_owned();
            move |source| PrivilegeError::Lookup { name, source }
        };
        let found = User::from_name(user).map_err(lookup(user))?;
        let found = found.ok_or_else(|| PrivilegeError::NoUser(user.to_owned()))?;
        let gid = match group {
            None => found.gid,
            Some(group) => {
                let found = Group::from_name(group).map_err(lookup(group))?;
                found.ok_or_else(|| PrivilegeError::NoGroup(group.to_owned()))?.gid
            }
        };
        if found.uid.is_root() || gid.as_raw() == 0 {
            return Err(PrivilegeError::IsRoot(user.to_owned()));
        }
        Ok(Self { uid: found.uid, gid, name: found.name })
    }

    /// Makes the whole process this account, without any other group and without a way back; nothing when it is not root.
    ///
    /// What is open stays open. Files that are opened later, as on a reload, must be readable for the account.
    pub fn assume(&self) -> Result<Dropped, PrivilegeError> {
        if !geteuid().is_root() {
            return Ok(Dropped::NotRoot);
        }
        let refused = |step| move |source| PrivilegeError::Refused { step, source };
        // Groups first: afterwards it is no longer allowed.
        setgroups(&[self.gid]).map_err(refused("setgroups"))?;
        setresgid(self.gid, self.gid, self.gid).map_err(refused("setresgid"))?;
        setresuid(self.uid, self.uid, self.uid).map_err(refused("setresuid"))?;
        self.confirm()?;
        // A process that was root must not leave its memory in a file.
        prctl::set_dumpable(false).map_err(refused("dumpable"))?;
        Ok(Dropped::To(self.name.clone()))
    }

    fn confirm(&self) -> Result<(), PrivilegeError> {
        let gone = || {
            let (user, group) = (getresuid().ok()?, getresgid().ok()?);
            let users = [user.real, user.effective, user.saved].iter().all(|&uid| uid == self.uid);
            let groups = [group.real, group.effective, group.saved].iter().all(|&gid| gid == self.gid);
            let others = getgroups().ok()?.iter().all(|&gid| gid == self.gid);
            Some(users && groups && others)
        };
        let back = setresuid(Uid::from_raw(0), Uid::from_raw(0), Uid::from_raw(0)).is_ok();
        if gone() == Some(true) && !back { Ok(()) } else { Err(PrivilegeError::NotGone) }
    }
}

/// The account's name, for a log.
impl std::fmt::Display for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_found_by_name_with_their_own_group_or_another() {
        let nobody = Account::find("nobody", None).unwrap();
        assert_eq!(nobody.gid, User::from_name("nobody").unwrap().unwrap().gid);
        let daemon = Account::find("nobody", Some("daemon")).unwrap();
        assert_eq!(daemon.gid, Group::from_name("daemon").unwrap().unwrap().gid);
    }

    #[test]
    fn who_does_not_exist_or_is_root_is_refused_by_name() {
        let told = |user, group| Account::find(user, group).unwrap_err().to_string();
        assert!(told("nosuchuser", None).contains("useradd --system nosuchuser"));
        assert!(told("nobody", Some("nosuchgroup")).contains("groupadd --system nosuchgroup"));
        assert!(told("root", None).contains("is root"));
        assert!(told("nobody", Some("root")).contains("is root"));
    }
}
