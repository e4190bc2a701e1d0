//! Everything that can be wrong with a configuration, each with the way out.
//!
//! The text says what is wrong (lower case, after the key); [`Fault::help`] says what to do. Where
//! it stands is the business of [`Problem`](super::problem::Problem).

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use ipnet::IpNet;

use super::secret::SecretError;
use super::values;
use crate::tls::ClientError;

/// What is wrong with one place of a configuration, or doubtful about it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// No such way to log.
    #[error("`{0}` is no place for the access log")]
    AccessLog(String),
    /// The operator's listener can be reached by others.
    #[error("can be reached from other machines, and asks nobody for a password")]
    AdminExposed,
    /// A host matches every name, beside others.
    #[error("`*` takes every host, so it has to stand alone")]
    AnyHostBesides,
    /// The authorities of upstreams cannot be used.
    #[error("cannot be used: {}", chain(.0.as_ref()))]
    Authorities(#[source] Arc<ClientError>),
    /// None of the words that are known.
    #[error("`{given}` is none of {wanted}")]
    Choice {
        /// What was given.
        given: String,
        /// What is known.
        wanted: &'static str,
    },
    /// TLS without certificates.
    #[error("TLS needs certificates, and `listen.certificates` names no folder")]
    CertificatesMissing,
    /// Certificates that nobody uses.
    #[error("has no effect, because nothing listens for TLS")]
    CertificatesUnused,
    /// No address of a Nextcloud.
    #[error("`{0}` is no address of a Nextcloud")]
    Cloud(String),
    /// Passwords would be sent to another machine as they are.
    #[error("`{0}` is not encrypted on its way, and passwords are sent to it")]
    CloudPlain(String),
    /// A new line and the like in a value.
    #[error("holds a control character")]
    ControlCharacter,
    /// Two listeners want the same address.
    #[error("is listened on twice; see {0} as well")]
    DoubleEndpoint(String),
    /// Two sites want the same host.
    #[error("host `{host}` is taken already by {by}")]
    DoubleHost {
        /// The host.
        host: String,
        /// The other place.
        by: String,
    },
    /// Two sites want the same name.
    #[error("site name `{name}` is taken already by {by}")]
    DoubleName {
        /// The name.
        name: String,
        /// The other place.
        by: String,
    },
    /// Two owner rules for one account.
    #[error("account `{0}` is shown as another by an earlier rule already")]
    DoubleOwner(String),
    /// The same Nextcloud twice in a list.
    #[error("`{0}` is in the list twice")]
    DoubleCloud(String),
    /// Two routes want the same prefix.
    #[error("prefix `{0}` is taken already by an earlier route")]
    DoublePrefix(String),
    /// The same target twice in a group.
    #[error("target `{0}` is in the list twice")]
    DoubleTarget(String),
    /// No duration.
    #[error("`{0}` is no duration")]
    Duration(String),
    /// Nothing in it.
    #[error("is empty")]
    Empty,
    /// No address to listen on.
    #[error("`{0}` is no address to listen on")]
    Endpoint(String),
    /// A file or folder cannot be used.
    #[error("{} {cannot}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What cannot be done with it.
        cannot: &'static str,
        /// Why.
        #[source]
        source: Arc<io::Error>,
    },
    /// Probes that have no host to ask for.
    #[error("has no effect: probes ask for a host, and this site has none without `*`")]
    HealthWithoutHost,
    /// No host name.
    #[error("`{0}` is no host name")]
    Host(String),
    /// A host name with a port.
    #[error("`{0}` has a port, and hosts are matched without one")]
    HostPort(String),
    /// A host name that is not in its ASCII form.
    #[error("`{0}` is not in its ASCII form")]
    HostUnicode(String),
    /// No value of `Strict-Transport-Security`.
    #[error("`{0}` is no value of Strict-Transport-Security")]
    Hsts(String),
    /// A value that Nextcloud warns about.
    #[error("max-age is below 15552000 (180 days), about which Nextcloud warns its admins")]
    HstsShort,
    /// A value of another kind.
    #[error("is {found}, and has to be {wanted}")]
    Kind {
        /// What it is.
        found: &'static str,
        /// What it has to be.
        wanted: &'static str,
    },
    /// A template where there is no label.
    #[error("`{{label}}` has a value only in a site whose hosts are all like `*.example.org`")]
    LabelWithoutWildcard,
    /// A key that has to be there.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// No account, or no id of an app.
    #[error("`{0}` is no name that Nextcloud knows")]
    NextcloudName(String),
    /// No site name.
    #[error("`{0}` is no name of a site")]
    Name(String),
    /// Below zero.
    #[error("is below zero")]
    Negative,
    /// No network.
    #[error("`{0}` is no network")]
    Network(String),
    /// Everybody.
    #[error("covers every address there is, so anyone can claim to be anyone")]
    NetworkAll,
    /// An address with a mask, rather than a network.
    #[error("`{given}` is an address within a network")]
    NetworkBits {
        /// What was written.
        given: IpNet,
        /// What it is part of.
        meant: IpNet,
    },
    /// Nowhere to listen.
    #[error("there is nothing to listen on")]
    NoListener,
    /// No sites.
    #[error("there is no site: {} holds no *.toml file", .0.display())]
    NoSites(PathBuf),
    /// A key of `[defaults]` that makes sense for one site only.
    #[error("cannot be the same for all sites")]
    NotADefault,
    /// A file that is no UTF-8.
    #[error("is not UTF-8 at byte {0}")]
    NotUtf8(usize),
    /// One of two settings may not be smaller than the other.
    #[error("is {is} than `limits.{than}`")]
    Order {
        /// "smaller" or "larger".
        is: &'static str,
        /// The other setting.
        than: &'static str,
    },
    /// Outside of what makes sense.
    #[error("{given} is {what}")]
    Range {
        /// What was written.
        given: String,
        /// "less than …" or "more than …"
        what: String,
    },
    /// No path prefix.
    #[error("`{0}` is no path prefix")]
    Prefix(String),
    /// The prefix of everything.
    #[error("`/` is the whole site")]
    PrefixRoot,
    /// Where to redirect to is not known.
    #[error("there is no host to redirect to")]
    RedirectNowhere,
    /// Too short for Nextcloud.
    #[error("is shorter than an hour, and assembling a large upload may take that long")]
    ResponseShort,
    /// Probes of something that need not be a Nextcloud.
    #[error("is for the site's own upstream: probes ask for `status.php`, which is Nextcloud's")]
    RouteHealth,
    /// Another name than the site is kept by.
    #[error("is not the name `{0}` that this site is asked for by")]
    OtherName(String),
    /// What tables cannot begin with.
    #[error("`{0}` is no beginning of table names")]
    TablePrefix(String),
    /// A secret that cannot be had.
    #[error("cannot be used: {}", chain(.0.as_ref()))]
    Secret(#[source] Arc<SecretError>),
    /// A secret in the file itself.
    #[error("is a secret, and secrets do not belong into this file")]
    SecretInline,
    /// A secret that others can read.
    #[error("{} can be read by every account of this machine", .0.display())]
    SecretOpen(PathBuf),
    /// No place of a secret.
    #[error("does not say where the secret is")]
    SecretPlace,
    /// A secret that is not for sites that are in no file.
    #[error("names a secret that is not set apart for sites of the API")]
    SecretForeign,
    /// A secret that should be kept with its site, and is not.
    #[error("names a secret that is not kept")]
    SecretNotKept,
    /// No size.
    #[error("`{0}` is no size")]
    Size(String),
    /// A setting of spooling without spooling.
    #[error("has no effect, because `dav.spool_chunked` is off")]
    SpoolUnused,
    /// No TOML.
    #[error("{}", one_line(.0.message()))]
    Syntax(#[source] Arc<toml::de::Error>),
    /// No target.
    #[error("`{0}` is no origin")]
    Target(String),
    /// A target with a path.
    #[error("`{0}` has a path, and paths are passed on as they are")]
    TargetPath(String),
    /// A target without scheme.
    #[error("`{0}` does not say whether to use TLS")]
    TargetScheme(String),
    /// A target with a password.
    #[error("has credentials before `@`, and secrets do not belong into this file")]
    TargetSecret,
    /// A target that is Passeur itself.
    #[error(
        "target `{target}` is Passeur's own listener `{listener}`: requests would go in circles"
    )]
    TargetSelf {
        /// The target.
        target: String,
        /// The listener.
        listener: String,
    },
    /// No name of a tour.
    #[error("`{0}` is no name of a tour")]
    Tour(String),
    /// A relative path of a socket.
    #[error("a unix socket needs an absolute path")]
    UnixPath,
    /// A webhook that nobody could check.
    #[error("has no `webhook_secret`, so that its receiver could not tell who calls")]
    WebhookUnsigned,
    /// No such key.
    #[error("there is no such key")]
    UnknownKey {
        /// The key that looks most like it.
        nearest: Option<String>,
    },
}

impl Fault {
    /// For text that is no host name: what is wrong with it.
    pub(super) fn host(text: &str) -> Self {
        let is_port = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        match text.rsplit_once(':') {
            Some((host, port)) if is_port(port) && values::host_pattern(host).is_ok() => {
                Fault::HostPort(text.to_owned())
            }
            _ => Fault::Host(text.to_owned()),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        if let Some(fixed) = self.fixed_help() {
            return Some(fixed.to_owned());
        }
        match self {
            Fault::HostPort(text) => {
                text.rsplit_once(':').map(|(host, _)| format!("write \"{host}\""))
            }
            Fault::NetworkBits { meant, given } => {
                Some(format!("write \"{meant}\", or \"{}\" for this address alone", given.addr()))
            }
            Fault::TargetScheme(text) => {
                Some(format!("write \"http://{text}\" or \"https://{text}\""))
            }
            Fault::Choice { wanted, .. } => Some(format!("write {wanted}")),
            Fault::UnknownKey { nearest: Some(nearest) } => {
                Some(format!("did you mean `{nearest}`?"))
            }
            _ => None,
        }
    }

    fn fixed_help(&self) -> Option<&'static str> {
        Some(match self {
            Fault::AccessLog(_) => {
                "write \"off\", \"stdout\" or \"file:/var/log/passeur/access.log\""
            }
            Fault::AdminExposed => {
                "listen on 127.0.0.1, on [::1] or on a unix socket, or set a `token`"
            }
            Fault::CertificatesMissing => {
                "set `certificates = \"…\"` in [listen]: a folder with NAME.crt and NAME.key"
            }
            Fault::Cloud(_) => "write \"https://cloud.example.net\", with a folder if it is in one",
            Fault::CloudPlain(_) => "write \"https://…\", if it can be reached so",
            Fault::NextcloudName(_) => "use a-z, A-Z, 0-9 and _ . @ - ' only",
            Fault::TablePrefix(_) => "write what `dbtableprefix` in config.php says: \"oc_\"",
            Fault::DoubleHost { .. } => "a host belongs to one site; remove it from the other",
            Fault::DoubleName { .. } => "give one of them another `name`",
            Fault::Duration(_) => "write a whole number with a unit: 500ms, 75s, 10m, 1h or 1d",
            Fault::Endpoint(_) => {
                "write IP:PORT such as \"[::]:443\", \"unix:/PATH\" or \"systemd:NAME\""
            }
            Fault::Host(_) => "write a name such as \"cloud.example.org\" or \"*.example.org\"",
            Fault::HostUnicode(_) => {
                "write it as browsers send it, such as \"xn--bcher-kva.example\" (command `idn2`)"
            }
            Fault::Hsts(_) => "write \"max-age=15552000; includeSubDomains\", or \"off\"",
            Fault::LabelWithoutWildcard => "write the whole name of the target",
            Fault::Missing("hosts") => {
                "add `hosts = [\"cloud.example.org\"]` at the top of the file"
            }
            Fault::Missing("upstream.targets") => {
                "add `upstream.targets = [\"http://10.0.0.5:80\"]`: where this is served from"
            }
            Fault::Missing("prefix") => "add `prefix = \"/push\"` to this route",
            Fault::Tour(_) => "write the `id` of a tour, such as \"welcome\"",
            Fault::Name(_) => "use a-z, 0-9, `-` and `.` only, beginning with a letter or digit",
            Fault::Network(_) => "write \"10.0.0.0/8\", \"2001:db8::/32\" or one address",
            Fault::NetworkAll => "name the addresses of the machines in front of Passeur",
            Fault::NoListener => {
                "set `http = [\"[::]:80\"]`, `https = [\"[::]:443\"]` or both in [listen]"
            }
            Fault::NotADefault => "set it in the file of the site",
            Fault::Prefix(_) => "write it as in a URL, without escapes: \"/push\", \"/apps/x\"",
            Fault::PrefixRoot => "use [upstream] for what no route takes",
            Fault::RedirectNowhere => {
                "give the site a host without `*`, or redirect from a wildcard"
            }
            Fault::SecretInline | Fault::SecretPlace => {
                "write { file = \"/PATH\" }, { env = \"PASSEUR_NAME\" } or { credential = \"NAME\" }"
            }
            Fault::SecretForeign => {
                "give it as { \"value\": \"…\" }, which is sealed, or name { \"env\": \"PASSEUR_SITE_…\" } \
                 or { \"credential\": \"site-…\" }"
            }
            Fault::SecretNotKept => "give it as { \"value\": \"…\" }, which is sealed",
            Fault::OtherName(_) => "leave it out",
            Fault::SecretOpen(_) => {
                "chmod 600, and make it the file of the account Passeur runs as"
            }
            Fault::Size(_) => "write a whole number with a unit: 512 B, 128 KiB, 16 MiB or 1 GiB",
            Fault::Target(_) => "write \"http://HOST:PORT\", \"https://HOST\" or \"unix:/PATH\"",
            Fault::TargetPath(_) => "remove the path; to send a prefix elsewhere, use [[routes]]",
            Fault::WebhookUnsigned => "set `webhook_secret = { file = \"/PATH\" }` beside it",
            Fault::TargetSecret => "remove them; Nextcloud asks its users itself",
            _ => return None,
        })
    }
}

/// An error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
