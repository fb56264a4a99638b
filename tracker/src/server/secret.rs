//! The secret under which UDP connection ids are made.

use super::BindError;
use crate::config::Config;
use crate::tracker::random_bytes;

/// The operator's, or one that nobody knows.
pub(super) fn connection_secret(config: &Config) -> Result<[u8; 16], BindError> {
    let Some(path) = config.connection_key_file.0.clone() else { return Ok(random_bytes()?) };
    let text = std::fs::read_to_string(&path);
    let text = text.map_err(|source| BindError::KeyFile { path: path.clone(), source })?;
    let digits = text.trim();
    let is_key = digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let secret = u128::from_str_radix(digits, 16).ok().filter(|_| is_key);
    Ok(secret.ok_or(BindError::Key { path })?.to_be_bytes())
}
