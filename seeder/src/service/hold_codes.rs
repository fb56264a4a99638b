//! Codes: given away by who has a server, `seed --code`, and used by who has none, `seeders add`. spec: HOLD-1

use std::time::Duration;

use peerfeed_protocol::hold::HoldCode;
use peerfeed_protocol::limits::{HOLD_CODES_MAX, SEEDERS_MAX};
use peerfeed_protocol::peer::message::RejectCode;
use tokio::time::timeout;

use super::publishing::blocking;
use super::{SeederCode, Service};
use crate::api::{self, Failure, Replies, Reply};
use crate::author::{Author, AuthorError};
use crate::net::{LineError, ask_to_hold};
use crate::store::HoldCodeRow;

/// What a new code is good for.
pub(super) struct Terms {
    /// Where this is reached.
    pub address: Option<String>,
    /// Feeds that may be brought by it.
    pub uses: u64,
    /// Seconds for which it is good.
    pub expires_s: u64,
    /// Bytes that each of them may take.
    pub quota_bytes: u64,
}

impl Service {
    pub(super) async fn seed_code(&self, terms: Terms, replies: &Replies) -> Result<(), Failure> {
        let address = match terms.address {
            Some(address) => super::manifest::read_code(&address)?.address,
            None => self.code().map(|code| code.address).ok_or_else(|| {
                Failure::failed("nothing listens here, so nobody could come with the code")
                    .hint("start `peerfeed run` first, or say where it will listen: `--address HOST:PORT`")
            })?,
        };
        let now_s = super::state::unix_ms() / 1_000;
        let mut secret = zeroize::Zeroizing::new([0; 16]);
        getrandom::fill(&mut *secret).map_err(|error| Failure::failed(format!("no randomness: {error}")))?;
        let code = HoldCode::new(self.node().witness(), now_s.saturating_add(terms.expires_s), *secret);
        let id = code.key().id();
        let quota_bytes = Some(terms.quota_bytes);
        let row = HoldCodeRow { expiry_s: code.expiry_s, uses: terms.uses, quota_bytes, used_s: None };
        if !self.store().write(move |txn| Ok(txn.put_hold_code(id, &row, now_s)?)).await? {
            return Err(Failure::no(format!("{HOLD_CODES_MAX} codes are given away and not used yet"))
                .hint("`peerfeed unseed --codes` takes them back"));
        }
        self.node().reload().await;
        let expires = super::reading::time(code.expiry_s.saturating_mul(1_000));
        let code = SeederCode { address, witness: Some(code.witness), hold: Some(code) };
        let told =
            api::HoldCode { code: Some(code.to_string()), expires: Some(expires), uses: terms.uses, quota_bytes };
        replies.send(Reply::HoldCode(told)).await;
        Ok(())
    }

    pub(super) async fn unseed_codes(&self, replies: &Replies) -> Result<(), Failure> {
        let now_s = super::state::unix_ms() / 1_000;
        let good = self.store().write(move |txn| Ok(txn.remove_hold_codes(now_s)?)).await?;
        self.node().reload().await;
        if good == 0 {
            return Err(Failure::no("no code that was given away is still good"));
        }
        replies.send(Reply::HoldCode(api::HoldCode { uses: good as u64, ..api::HoldCode::default() })).await;
        Ok(())
    }

    /// Has the own feed held by the seeder that gave this code away.
    pub(super) async fn ask_seeder(&self, author: &Author, at: &SeederCode, patience: Duration) -> Result<(), Failure> {
        let Some(hold) = &at.hold else { return Ok(()) };
        if hold.expiry_s <= super::state::unix_ms() / 1_000 {
            return Err(Failure::failed("the code has expired").hint(ANOTHER));
        }
        // Before the code is used up.
        let asking = author.clone();
        let listed = blocking(move || asking.manifest()).await?.content().seeders.clone();
        let replaces = listed.iter().any(|seeder| seeder.address == at.address || seeder.witness == hold.witness);
        if listed.len() >= SEEDERS_MAX && !replaces {
            return Err(AuthorError::TooManySeeders.into());
        }
        if hold.witness == self.node().witness() {
            return Err(Failure::failed("this code is of this very data folder").hint("give it to somebody else"));
        }
        let asked = timeout(patience, ask_to_hold(&at.address, hold.witness, &hold.key(), author.feed())).await;
        asked.unwrap_or(Err(LineError::TimedOut)).map_err(|error| match error {
            LineError::Rejected(RejectCode::NotAdmitted) => {
                Failure::failed("the code was used already, or has been taken back").hint(ANOTHER)
            }
            LineError::Rejected(RejectCode::OverLimit) => {
                Failure::no(format!("the seeder at {} takes in no more feeds", at.address))
            }
            LineError::Broken | LineError::UnknownFeed => {
                Failure::failed(format!("the seeder at {} does not know this code", at.address)).hint(ANOTHER)
            }
            LineError::OtherSeeder => {
                Failure::failed(format!("at {} is another seeder than the one of this code", at.address)).hint(ANOTHER)
            }
            error => Failure::no(format!("the seeder at {} did not take the feed: {error}", at.address))
                .hint("try again later: the code was not used"),
        })
    }
}

const ANOTHER: &str = "ask its host for a new one: `peerfeed seed --code` prints it";
