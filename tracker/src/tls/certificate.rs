//! A certificate chain and its key, in PEM files.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Most bytes of one of the files: a chain of ten large certificates has 30 kB.
pub(crate) const FILE_BYTES_MAX: u64 = 1 << 20;

/// Where the certificate is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain, the tracker's own certificate first.
    pub certificate: PathBuf,
    /// The private key of the first certificate.
    pub key: PathBuf,
}

/// Why there is no certificate. All of these are for the operator.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file is not there, or may not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A file is larger than any certificate.
    #[error("{} has more than {FILE_BYTES_MAX} bytes", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// A file holds nothing of the kind.
    #[error("{} holds no {what} in PEM", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What is looked for.
        what: &'static str,
    },
    /// A file is broken.
    #[error("{} is not valid PEM", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: pem::Error,
    },
    /// Both are read, but are of no use together.
    #[error("the certificate {} and the key {} cannot be used", files.certificate.display(), files.key.display())]
    Unusable {
        /// The files.
        files: CertificateFiles,
        /// What is wrong.
        #[source]
        source: rustls::Error,
    },
}

impl CertificateFiles {
    /// Reads both files and checks that they belong together.
    pub(super) fn read(&self, provider: &CryptoProvider) -> Result<CertifiedKey, CertificateError> {
        let text = read(&self.certificate)?;
        let broken = |path: &Path| {
            let path = path.to_owned();
            move |source| CertificateError::Broken { path, source }
        };
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        let chain = chain.map_err(broken(&self.certificate))?;
        if chain.is_empty() {
            return Err(CertificateError::Missing { path: self.certificate.clone(), what: "certificate" });
        }
        let key = match PrivateKeyDer::from_pem_slice(&read(&self.key)?) {
            Ok(key) => key,
            Err(pem::Error::NoItemsFound) => {
                return Err(CertificateError::Missing { path: self.key.clone(), what: "private key" });
            }
            Err(source) => return Err(broken(&self.key)(source)),
        };
        CertifiedKey::from_der(chain, key, provider)
            .map_err(|source| CertificateError::Unusable { files: self.clone(), source })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    let failed = |source| CertificateError::Read { path: path.to_owned(), source };
    let mut bytes = vec![];
    File::open(path).map_err(failed)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > FILE_BYTES_MAX) {
        return Err(CertificateError::TooLong { path: path.to_owned() });
    }
    Ok(bytes)
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs;

    use rcgen::{CertifiedKey as Generated, KeyPair, generate_simple_self_signed};

    use super::*;

    /// A certificate for this name in files, and as a client trusts it.
    pub(crate) fn certificate(folder: &Path, name: &str) -> (CertificateFiles, CertificateDer<'static>) {
        let Generated { cert, signing_key } = generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        let files = CertificateFiles { certificate: folder.join("chain.pem"), key: folder.join("key.pem") };
        fs::write(&files.certificate, cert.pem()).unwrap();
        fs::write(&files.key, signing_key.serialize_pem()).unwrap();
        (files, cert.der().clone())
    }

    fn error(files: &CertificateFiles) -> String {
        let error = files.read(&rustls::crypto::ring::default_provider()).unwrap_err();
        let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        format!("{error}: {source}")
    }

    #[test]
    fn each_unusable_file_is_named_with_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let (files, _) = certificate(folder.path(), "localhost");
        let told = |certificate: &Path, key: &Path| {
            error(&CertificateFiles { certificate: certificate.to_owned(), key: key.to_owned() })
        };
        let other = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        assert!(told(Path::new("/nowhere/x"), &files.key).contains("cannot read /nowhere/x"));
        assert!(told(&files.certificate, &files.certificate).contains("chain.pem holds no private key"));
        assert!(told(&files.key, &files.key).contains("key.pem holds no certificate"));
        assert!(told(&other("empty", ""), &files.key).contains("empty holds no certificate"));
        let cut = other("cut", "-----BEGIN CERTIFICATE-----\nAAAA\n");
        assert!(told(&cut, &files.key).contains("cut is not valid PEM"));
        let stranger = other("stranger", &KeyPair::generate().unwrap().serialize_pem());
        assert!(
            told(&files.certificate, &stranger).contains("cannot be used"),
            "{}",
            told(&files.certificate, &stranger)
        );
        let long = other("long", &" ".repeat(1 + usize::try_from(FILE_BYTES_MAX).unwrap()));
        assert!(told(&long, &files.key).contains("long has more than 1048576 bytes"));
    }
}
