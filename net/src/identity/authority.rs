//! The cluster's own certificate authority and the signing of node keys.
//!
//! ```text
//!   joiner   NodeKey::generate -> csr_der  ──────►  member   ClusterAuthority::sign(csr, node, wall) -> certificate
//! ```
//!
//! The wall time comes in as a parameter. Certificates begin one hour before it, for clocks that differ.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
    date_time_ymd,
};

use super::{ClusterId, Identity, IdentityError, dns_name, pin_of_pem, uri};

const DAY: Duration = Duration::from_hours(24);
const NODE_VALIDITY: Duration = DAY.saturating_mul(90);
const AUTHORITY_VALIDITY: Duration = DAY.saturating_mul(3653);
const SKEW: Duration = Duration::from_hours(1);
/// 9000-01-01, in microseconds: certificates cannot name years beyond 9999.
const LATEST_WALL_US: u64 = 221_845_392_000_000_000;

/// The key that signs node certificates, with its own certificate. Debug output shows no key.
pub struct ClusterAuthority {
    cluster: ClusterId,
    certificate_pem: String,
    key: KeyPair,
}

impl ClusterAuthority {
    /// Makes the authority of a new cluster; `wall` is the present in microseconds since 1970.
    ///
    /// # Errors
    /// When no key can be made, or the clock is absurd.
    pub fn create(cluster: ClusterId, wall: u64) -> Result<Self, IdentityError> {
        let key = KeyPair::generate()?;
        let mut params = params(&format!("Quorate cluster {cluster}"), wall, AUTHORITY_VALIDITY, 0)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.subject_alt_names = vec![SanType::URI(format!("quorate://{cluster}").try_into()?)];
        let certificate_pem = params.self_signed(&key)?.pem();
        Ok(Self { cluster, certificate_pem, key })
    }

    /// Reads an authority back from its two parts.
    ///
    /// # Errors
    /// When a part is damaged or they do not belong together.
    pub fn from_pem(cluster: ClusterId, certificate_pem: &str, key_pem: &str) -> Result<Self, IdentityError> {
        let authority = Self { cluster, certificate_pem: certificate_pem.to_owned(), key: KeyPair::from_pem(key_pem)? };
        let digest = ring::digest::digest(&ring::digest::SHA256, &authority.key.subject_public_key_info());
        if digest.as_ref()[..16] != authority.pin()? {
            return Err(IdentityError::Mismatch("the authority's key"));
        }
        Ok(authority)
    }

    /// The cluster.
    #[must_use]
    pub fn cluster(&self) -> ClusterId {
        self.cluster
    }

    /// The certificate, which every node may see.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The private key, which only members may see.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// The first half of the SHA-256 of the public key (its SPKI), as join tokens carry it.
    ///
    /// # Errors
    /// When the certificate is damaged.
    pub fn pin(&self) -> Result<[u8; 16], IdentityError> {
        pin_of_pem(&self.certificate_pem)
    }

    /// Signs the key of a request as that of `node` and returns the certificate as PEM.
    ///
    /// # Errors
    /// When the request is damaged or its signature does not prove possession of the key.
    pub fn sign(&self, csr_der: &[u8], node: u64, wall: u64) -> Result<String, IdentityError> {
        let request = CertificateSigningRequestParams::from_der(&csr_der.into())?;
        let issuer = Issuer::from_ca_cert_pem(&self.certificate_pem, &self.key)?;
        let params = self.node_params(node, wall)?;
        Ok(params.signed_by(&request.public_key, &issuer)?.pem())
    }

    /// Makes a key and a certificate for `node` at once, for the node that creates the cluster.
    ///
    /// # Errors
    /// When no key can be made, or the clock is absurd.
    pub fn issue(&self, node: u64, wall: u64) -> Result<Identity, IdentityError> {
        let key = NodeKey::generate()?;
        let certificate = self.sign(&key.csr_der()?, node, wall)?;
        Identity::from_pem(&certificate, &key.pem(), &self.certificate_pem)
    }

    fn node_params(&self, node: u64, wall: u64) -> Result<CertificateParams, IdentityError> {
        let mut params = params(&format!("Quorate node {node}"), wall, NODE_VALIDITY, node)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.subject_alt_names = vec![
            SanType::URI(uri(self.cluster, node).try_into()?),
            SanType::DnsName(dns_name(self.cluster, node).try_into()?),
        ];
        Ok(params)
    }
}

impl std::fmt::Debug for ClusterAuthority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClusterAuthority").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

/// The private key of a node that has no certificate yet.
pub struct NodeKey(KeyPair);

impl NodeKey {
    /// Makes a key.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn generate() -> Result<Self, IdentityError> {
        Ok(Self(KeyPair::generate()?))
    }

    /// The signing request: the public key, signed with the private one.
    ///
    /// # Errors
    /// When signing fails.
    pub fn csr_der(&self) -> Result<Vec<u8>, IdentityError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        Ok(params.serialize_request(&self.0)?.der().to_vec())
    }

    /// The key as PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.serialize_pem()
    }
}

impl std::fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeKey").finish_non_exhaustive()
    }
}

fn params(name: &str, wall: u64, validity: Duration, node: u64) -> Result<CertificateParams, IdentityError> {
    if wall > LATEST_WALL_US {
        return Err(IdentityError::Clock(wall));
    }
    let now = date_time_ymd(1970, 1, 1) + Duration::from_micros(wall);
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = now - SKEW;
    params.not_after = now + validity;
    params.serial_number = Some(SerialNumber::from_slice(&[wall.to_be_bytes(), node.to_be_bytes()].concat()));
    Ok(params)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: u64 = 1_900_000_000_000_000;

    #[test]
    fn a_signed_key_becomes_an_identity() {
        let authority = ClusterAuthority::create(ClusterId([7; 16]), WALL).unwrap();
        let key = NodeKey::generate().unwrap();
        let certificate = authority.sign(&key.csr_der().unwrap(), 5, WALL).unwrap();
        let identity = Identity::from_pem(&certificate, &key.pem(), authority.certificate_pem()).unwrap();
        assert_eq!((identity.cluster(), identity.node()), (ClusterId([7; 16]), 5));
        assert_eq!(identity.not_after(), WALL + 90 * 86_400 * 1_000_000);
    }

    #[test]
    fn a_damaged_request_is_refused() {
        let authority = ClusterAuthority::create(ClusterId([7; 16]), WALL).unwrap();
        let mut request = NodeKey::generate().unwrap().csr_der().unwrap();
        *request.last_mut().unwrap() ^= 1;
        assert!(matches!(authority.sign(&request, 5, WALL), Err(IdentityError::Make(_))));
        assert!(matches!(authority.sign(b"nonsense", 5, WALL), Err(IdentityError::Make(_))));
    }

    #[test]
    fn an_authority_survives_storage() {
        let authority = ClusterAuthority::create(ClusterId([7; 16]), WALL).unwrap();
        let again =
            ClusterAuthority::from_pem(authority.cluster(), authority.certificate_pem(), &authority.key_pem()).unwrap();
        assert_eq!(again.pin().unwrap(), authority.pin().unwrap());
        let other = ClusterAuthority::create(ClusterId([7; 16]), WALL).unwrap();
        let mixed = ClusterAuthority::from_pem(other.cluster(), authority.certificate_pem(), &other.key_pem());
        assert!(matches!(mixed, Err(IdentityError::Mismatch(_))));
    }

    #[test]
    fn an_absurd_clock_is_refused() {
        assert!(matches!(ClusterAuthority::create(ClusterId([7; 16]), u64::MAX), Err(IdentityError::Clock(_))));
    }
}
