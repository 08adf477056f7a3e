//! TLS: certificates of the listener, roots that upstreams are checked against. One crypto provider: aws-lc-rs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// Certificate and key of the listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificate chain, PEM.
    pub cert: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
}

/// The listener's certificate, which a reload replaces.
#[derive(Debug)]
pub struct ServerTls {
    files: TlsFiles,
    current: ArcSwap<ServerConfig>,
}

// === impl ServerTls ===

impl ServerTls {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// Which file is wrong, and why.
    pub fn load(files: TlsFiles) -> anyhow::Result<Self> {
        let current = ArcSwap::new(server_config(&files)?);
        Ok(Self { files, current })
    }

    /// What new connections use.
    #[must_use]
    pub fn current(&self) -> Arc<ServerConfig> {
        self.current.load_full()
    }

    /// Reads the files anew; the old certificate stays where they are wrong.
    ///
    /// # Errors
    /// Which file is wrong, and why.
    pub fn reload(&self) -> anyhow::Result<()> {
        self.current.store(server_config(&self.files)?);
        Ok(())
    }

    /// The files that are watched.
    #[must_use]
    pub fn files(&self) -> &TlsFiles {
        &self.files
    }
}

fn server_config(files: &TlsFiles) -> anyhow::Result<Arc<ServerConfig>> {
    let chain = certificates(&files.cert)?;
    let key = PrivateKeyDer::from_pem_file(&files.key).with_context(|| format!("{}: no private key (PEM) could be read", files.key.display()))?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .with_context(|| format!("{} and {} do not go together", files.cert.display(), files.key.display()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The certificates of a PEM file.
///
/// # Errors
/// When the file cannot be read or holds none.
pub fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).with_context(|| format!("{} cannot be read", path.display()))?.collect();
    let found = found.with_context(|| format!("{} is not PEM", path.display()))?;
    anyhow::ensure!(!found.is_empty(), "{} holds no certificate (PEM)", path.display());
    Ok(found)
}

/// How upstreams are checked: against the system's roots (those of Mozilla where the system has none) and the extra ones.
///
/// # Errors
/// When an extra root is no certificate.
pub fn client_config(extra: &[CertificateDer<'static>]) -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for certificate in extra {
        roots.add(certificate.clone()).context("an extra root is not a usable certificate")?;
    }
    Ok(ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?.with_root_certificates(roots).with_no_client_auth())
}

/// Named wherever a configuration is made, so that none depends on what the process installed.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
