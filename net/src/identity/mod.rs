//! Who is who: the cluster's authority, node certificates, and the TLS configurations that follow from them.
//!
//! ```text
//!   cluster authority   key and self-signed certificate, valid 10 years     URI  quorate://CLUSTER
//!     └─ node           key made on the node, certificate valid 90 days     URI  quorate://CLUSTER/node/ID
//!                                                                           DNS  node-ID.CLUSTER.quorate
//! ```
//!
//! CLUSTER is the cluster id in 32 hexadecimal digits. The DNS name is what TLS itself checks when a node is dialled; the URI
//! is what the acceptor of a connection reads to learn who called. A directory keeps `node.crt`, `node.key` (readable by its
//! owner only) and `ca.crt`; the authority's key is never in a file.
//!
//! Invariant: a node's private key never leaves the node: joining sends a signing request.
//! Invariant: the authority signs the key of a request and nothing else of it; names and validity are the authority's own.

mod authority;
mod tls;

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::str::FromStr;

use bincode::{Decode, Encode};
use rcgen::{KeyPair, PublicKeyData};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

pub use authority::{ClusterAuthority, NodeKey};
pub(crate) use tls::join_client_config;

const CERTIFICATE_FILE: &str = "node.crt";
const KEY_FILE: &str = "node.key";
const AUTHORITY_FILE: &str = "ca.crt";

/// Names a cluster for ever; drawn at random when the cluster is created.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct ClusterId(pub [u8; 16]);

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ClusterId {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let id = u128::from_str_radix(text, 16).ok().filter(|_| text.len() == 32 && text.is_ascii());
        id.map(|id| Self(id.to_be_bytes())).ok_or_else(|| IdentityError::Name(text.to_owned()))
    }
}

/// Why an identity cannot be made, read or used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A certificate or key could not be made or signed.
    #[error("cannot make a certificate")]
    Make(#[from] rcgen::Error),
    /// TLS does not accept the certificate or key.
    #[error("cannot use the certificate for TLS")]
    Tls(#[from] rustls::Error),
    /// The text is not PEM of the expected kind.
    #[error("{what} is not in PEM format")]
    Pem {
        /// Which one.
        what: &'static str,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// The certificate cannot be parsed.
    #[error("the certificate is damaged")]
    Damaged,
    /// The certificate does not name a node of a Quorate cluster.
    #[error("the certificate names \"{0}\", which is no Quorate node")]
    Name(String),
    /// The parts do not belong together.
    #[error("{0} and the node's certificate do not belong together")]
    Mismatch(&'static str),
    /// The clock is not set.
    #[error("the clock shows {0} microseconds since 1970, which no certificate can hold")]
    Clock(u64),
    /// A file cannot be read or written.
    #[error("cannot access {path}")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

/// What proves that this process is a certain node of a certain cluster.
pub struct Identity {
    cluster: ClusterId,
    node: u64,
    not_after: u64,
    certificate_pem: String,
    key_pem: String,
    ca_pem: String,
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    ca: CertificateDer<'static>,
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self {
            cluster: self.cluster,
            node: self.node,
            not_after: self.not_after,
            certificate_pem: self.certificate_pem.clone(),
            key_pem: self.key_pem.clone(),
            ca_pem: self.ca_pem.clone(),
            certificate: self.certificate.clone(),
            key: self.key.clone_key(),
            ca: self.ca.clone(),
        }
    }
}

impl Identity {
    /// Reads the three parts and checks that they belong together.
    ///
    /// # Errors
    /// When a part is damaged, or is not of the same node and cluster as the others.
    pub fn from_pem(certificate_pem: &str, key_pem: &str, ca_pem: &str) -> Result<Self, IdentityError> {
        let certificate = certificate_from_pem(certificate_pem, "the node's certificate")?;
        let ca = certificate_from_pem(ca_pem, "the cluster's certificate")?;
        let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes())
            .map_err(|source| IdentityError::Pem { what: "the node's key", source })?;
        let (cluster, node) = name_of(&certificate)?;
        let parsed = parse(&certificate)?;
        if KeyPair::from_pem(key_pem)?.subject_public_key_info() != parsed.public_key().raw {
            return Err(IdentityError::Mismatch("the key"));
        }
        if parsed.issuer().as_raw() != parse(&ca)?.subject().as_raw() {
            return Err(IdentityError::Mismatch("the cluster's certificate"));
        }
        let not_after = u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or(0).saturating_mul(1_000_000);
        let (certificate_pem, key_pem, ca_pem) = (certificate_pem.to_owned(), key_pem.to_owned(), ca_pem.to_owned());
        Ok(Self { cluster, node, not_after, certificate_pem, key_pem, ca_pem, certificate, key, ca })
    }

    /// Reads `node.crt`, `node.key` and `ca.crt` of a directory.
    ///
    /// # Errors
    /// As [`Identity::from_pem`], and when a file cannot be read.
    pub fn load(directory: &Path) -> Result<Self, IdentityError> {
        let read = |name: &str| {
            let path = directory.join(name);
            fs::read_to_string(&path).map_err(|source| file_error(&path, source))
        };
        Self::from_pem(&read(CERTIFICATE_FILE)?, &read(KEY_FILE)?, &read(AUTHORITY_FILE)?)
    }

    /// Whether a directory holds an identity.
    #[must_use]
    pub fn exists(directory: &Path) -> bool {
        directory.join(CERTIFICATE_FILE).exists()
    }

    /// Writes the three files, the certificate last, so that a directory with `node.crt` is complete.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn save(&self, directory: &Path) -> Result<(), IdentityError> {
        fs::create_dir_all(directory).map_err(|source| file_error(directory, source))?;
        write_file(directory, KEY_FILE, &self.key_pem, 0o600)?;
        write_file(directory, AUTHORITY_FILE, &self.ca_pem, 0o644)?;
        write_file(directory, CERTIFICATE_FILE, &self.certificate_pem, 0o644)?;
        let sync = File::open(directory).and_then(|handle| handle.sync_all());
        sync.map_err(|source| file_error(directory, source))
    }

    /// The cluster.
    #[must_use]
    pub fn cluster(&self) -> ClusterId {
        self.cluster
    }

    /// The node.
    #[must_use]
    pub fn node(&self) -> u64 {
        self.node
    }

    /// When the node's certificate expires, in microseconds since 1970.
    #[must_use]
    pub fn not_after(&self) -> u64 {
        self.not_after
    }

    /// The node's certificate as PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The authority's certificate as PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The first half of the SHA-256 of the authority's public key, as join tokens carry it.
    ///
    /// # Errors
    /// When the authority's certificate is damaged.
    pub fn ca_pin(&self) -> Result<[u8; 16], IdentityError> {
        pin_of(&self.ca)
    }

    /// The DNS name under which TLS checks another node of this cluster.
    pub(crate) fn server_name(&self, node: u64) -> String {
        dns_name(self.cluster, node)
    }

    /// A key for secrets that must survive a restart of this node, one per purpose.
    pub(crate) fn derived_key(&self, purpose: &str) -> ring::hmac::Key {
        let base = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, self.key.secret_der());
        let secret = ring::hmac::sign(&base, purpose.as_bytes());
        ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_ref())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("cluster", &self.cluster).field("node", &self.node).finish_non_exhaustive()
    }
}

/// Reads the cluster and the node out of a certificate.
///
/// # Errors
/// When the certificate is damaged or has no URI of a Quorate node.
pub fn name_of(certificate: &CertificateDer<'_>) -> Result<(ClusterId, u64), IdentityError> {
    let parsed = parse(certificate)?;
    let names = parsed.subject_alternative_name().map_err(|_| IdentityError::Damaged)?;
    let uris = names.iter().flat_map(|names| &names.value.general_names).filter_map(|name| match name {
        GeneralName::URI(uri) => Some(*uri),
        _ => None,
    });
    let uri = uris.into_iter().next().unwrap_or_default();
    parse_uri(uri).ok_or_else(|| IdentityError::Name(uri.to_owned()))
}

fn parse_uri(uri: &str) -> Option<(ClusterId, u64)> {
    let (cluster, node) = uri.strip_prefix("quorate://")?.split_once("/node/")?;
    Some((cluster.parse().ok()?, node.parse().ok()?))
}

fn uri(cluster: ClusterId, node: u64) -> String {
    format!("quorate://{cluster}/node/{node}")
}

fn dns_name(cluster: ClusterId, node: u64) -> String {
    format!("node-{node}.{cluster}.quorate")
}

/// The pin of the public key in a certificate.
pub(crate) fn pin_of(certificate: &CertificateDer<'_>) -> Result<[u8; 16], IdentityError> {
    let parsed = parse(certificate)?;
    let digest = ring::digest::digest(&ring::digest::SHA256, parsed.public_key().raw);
    digest.as_ref().first_chunk().copied().ok_or(IdentityError::Damaged)
}

/// The pin of the public key in a certificate given as PEM.
pub(crate) fn pin_of_pem(pem: &str) -> Result<[u8; 16], IdentityError> {
    pin_of(&certificate_from_pem(pem, "the cluster's certificate")?)
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, IdentityError> {
    let (rest, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|_| IdentityError::Damaged)?;
    if rest.is_empty() { Ok(parsed) } else { Err(IdentityError::Damaged) }
}

fn certificate_from_pem(pem: &str, what: &'static str) -> Result<CertificateDer<'static>, IdentityError> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|source| IdentityError::Pem { what, source })
}

/// Writes a file as a whole: a reader sees the old content or the new.
fn write_file(directory: &Path, name: &str, content: &str, mode: u32) -> Result<(), IdentityError> {
    let path = directory.join(name);
    let temporary = directory.join(format!("{name}.new"));
    let write = || {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
        #[cfg(not(unix))]
        assert!(mode != 0, "a file without any permission could not be read back");
        let mut file = options.open(&temporary)?;
        file.write_all(content.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, &path)
    };
    write().map_err(|source| file_error(&path, source))
}

fn file_error(path: &Path, source: std::io::Error) -> IdentityError {
    IdentityError::File { path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::Runtime;

    const CLUSTER: ClusterId = ClusterId([0xab; 16]);

    #[test]
    fn cluster_ids_have_one_spelling() {
        assert_eq!(CLUSTER.to_string().parse::<ClusterId>().unwrap(), CLUSTER);
        for wrong in ["", "ab", &"+b".repeat(16), &"xy".repeat(16), &"ab".repeat(17)] {
            assert!(wrong.parse::<ClusterId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn save_and_load() {
        let authority = ClusterAuthority::create(CLUSTER, Runtime::real().wall()).unwrap();
        let identity = authority.issue(3, Runtime::real().wall()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        assert!(!Identity::exists(directory.path()));
        identity.save(directory.path()).unwrap();
        let loaded = Identity::load(directory.path()).unwrap();
        assert_eq!((loaded.cluster(), loaded.node()), (CLUSTER, 3));
        assert_eq!(loaded.ca_pin().unwrap(), authority.pin().unwrap());
        let mut names: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["ca.crt", "node.crt", "node.key"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(directory.path().join(KEY_FILE)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn parts_of_different_nodes_are_refused() {
        let wall = Runtime::real().wall();
        let authority = ClusterAuthority::create(CLUSTER, wall).unwrap();
        let foreign = ClusterAuthority::create(ClusterId([1; 16]), wall).unwrap();
        let (one, two) = (authority.issue(1, wall).unwrap(), authority.issue(2, wall).unwrap());
        let wrong_key = Identity::from_pem(&one.certificate_pem, &two.key_pem, &one.ca_pem);
        assert!(matches!(wrong_key, Err(IdentityError::Mismatch("the key"))));
        let wrong_ca = Identity::from_pem(&one.certificate_pem, &one.key_pem, foreign.certificate_pem());
        assert!(matches!(wrong_ca, Err(IdentityError::Mismatch("the cluster's certificate"))));
    }

    #[test]
    fn an_authority_is_no_node() {
        let authority = ClusterAuthority::create(CLUSTER, Runtime::real().wall()).unwrap();
        let der = certificate_from_pem(authority.certificate_pem(), "x").unwrap();
        assert!(matches!(name_of(&der), Err(IdentityError::Name(_))));
    }
}
