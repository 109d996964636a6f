//! Hosts that a command would talk to.

use std::net::{IpAddr, Ipv4Addr};

/// Where a host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// This machine.
    Loopback,
    /// A private network, or a name of one.
    Private,
    /// The service by which a cloud tells its machines their credentials.
    Metadata,
    /// Anywhere else.
    External,
}

/// The host in a URL, `user@host:path`, or `host:port`; `None` where the text is none of these.
pub fn in_text(text: &str) -> Option<&str> {
    if let Some((scheme, rest)) = text.split_once("://") {
        let named = !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
        if !named || scheme.eq_ignore_ascii_case("file") {
            return None;
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        return bare(authority.rsplit('@').next().unwrap_or(authority));
    }
    if let Some((user, rest)) = text.split_once('@') {
        let named = !user.is_empty() && user.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        let host = rest.split([':', '/']).next().unwrap_or(rest);
        return if named && host.contains('.') { bare(host) } else { None };
    }
    let host = text.split(['/', ':']).next().unwrap_or(text);
    if host.parse::<Ipv4Addr>().is_ok() { Some(host) } else { None }
}

fn bare(authority: &str) -> Option<&str> {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => authority.split(':').next().unwrap_or(authority),
    };
    (!host.is_empty()).then_some(host)
}

/// Where `host` is. What is not exact (`$HOST`) is external.
pub fn reach(host: &str) -> Reach {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    if is_metadata(&name) {
        return Reach::Metadata;
    }
    if name == "localhost" || name.ends_with(".localhost") || name == "0.0.0.0" {
        return Reach::Loopback;
    }
    match name.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) if address.is_loopback() => Reach::Loopback,
        Ok(IpAddr::V4(address)) if address.is_private() || address.is_link_local() => Reach::Private,
        Ok(IpAddr::V6(address)) if address.is_loopback() => Reach::Loopback,
        Ok(IpAddr::V6(address)) if address.is_unique_local() || address.is_unicast_link_local() => Reach::Private,
        Ok(IpAddr::V4(_) | IpAddr::V6(_)) => Reach::External,
        Err(_) if !name.contains('.') && !name.contains('$') => Reach::Private,
        Err(_)
            if [".local", ".internal", ".lan", ".home.arpa", ".intranet", ".svc"]
                .iter()
                .any(|end| name.ends_with(end)) =>
        {
            Reach::Private
        }
        Err(_) => Reach::External,
    }
}

/// Addresses at which clouds give their machines credentials: AWS (also for
/// containers and pods), Google, Azure, Alibaba, Tencent, Scaleway, Oracle, Equinix.
const METADATA: [&str; 16] = [
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "169.254.42.42",
    "169.254.0.23",
    "100.100.100.200",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd00:42::42",
    "metadata.google.internal",
    "instance-data.ec2.internal",
    "instance-data",
    "metadata.tencentyun.com",
    "metadata.platformequinix.com",
    "metadata.packet.net",
];

fn is_metadata(name: &str) -> bool {
    // What follows may be the path: `http://169.254.170.2$URI`.
    let name = name.split('$').next().unwrap_or(name);
    // An address can be written as one number, too, and as one of IPv6.
    let number = name.strip_prefix("0x").map_or_else(|| name.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok());
    let mapped = name.parse::<std::net::Ipv6Addr>().ok().and_then(|address| address.to_ipv4_mapped());
    let address = number.map(Ipv4Addr::from).or(mapped).map(|address| address.to_string());
    METADATA.contains(&address.as_deref().unwrap_or(name))
}

/// Whether a text can stand in a list of known hosts and networks.
pub fn is_entry(text: &str) -> bool {
    if let Some((network, bits)) = text.split_once('/') {
        let Ok(address) = network.parse::<IpAddr>() else { return false };
        let most = if address.is_ipv4() { 32 } else { 128 };
        return bits.bytes().all(|b| b.is_ascii_digit()) && bits.parse::<u32>().is_ok_and(|bits| bits <= most);
    }
    let name = text.strip_prefix("*.").unwrap_or(text);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let labels = !name.is_empty() && name.chars().all(plain) && !name.split('.').any(str::is_empty);
    labels || text.parse::<IpAddr>().is_ok()
}

/// Whether `host` is in a list of known hosts and networks: names, `*.names`, addresses and `address/bits`.
pub fn known(host: &str, list: &[String]) -> bool {
    list.iter().any(|entry| {
        if let Some(domain) = entry.strip_prefix("*.") {
            return host.len() > domain.len() + 1
                && host.to_ascii_lowercase().ends_with(&format!(".{}", domain.to_ascii_lowercase()));
        }
        entry.eq_ignore_ascii_case(host) || in_network(host, entry)
    })
}

fn in_network(host: &str, entry: &str) -> bool {
    let Some((network, bits)) = entry.split_once('/') else { return false };
    let (Ok(bits), Ok(network), Ok(host)) = (bits.parse::<u32>(), network.parse::<IpAddr>(), host.parse::<IpAddr>())
    else {
        return false;
    };
    match (network, host) {
        (IpAddr::V4(network), IpAddr::V4(host)) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            u32::from(network) & mask == u32::from(host) & mask
        }
        (IpAddr::V6(network), IpAddr::V6(host)) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            u128::from(network) & mask == u128::from(host) & mask
        }
        (IpAddr::V4(_) | IpAddr::V6(_), IpAddr::V4(_) | IpAddr::V6(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_found() {
        for (text, host) in [
            ("https://user:pw@files.example.net:8443/x?y", Some("files.example.net")),
            ("http://[::1]:80/", Some("::1")),
            ("root@10.0.0.5:/etc", Some("10.0.0.5")),
            ("203.0.113.9:4444", Some("203.0.113.9")),
            ("file:///etc/passwd", None),
            ("a@b", None),
            ("README.md", None),
            ("1.2.3", None),
        ] {
            assert_eq!(in_text(text), host, "{text}");
        }
    }

    #[test]
    fn hosts_are_where_they_are() {
        assert_eq!(reach("127.0.0.2"), Reach::Loopback);
        assert_eq!(reach("::1"), Reach::Loopback);
        assert_eq!(reach("192.168.3.4"), Reach::Private);
        assert_eq!(reach("db01"), Reach::Private);
        for name in [
            "169.254.169.254",
            "169.254.170.2$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "2852039166",
            "0xA9FEA9FE",
            "::ffff:169.254.169.254",
            "fd00:ec2::254",
            "Metadata.Google.Internal.",
        ] {
            assert_eq!(reach(name), Reach::Metadata, "{name}");
        }
        assert_ne!(reach("169.254.1.1"), Reach::Metadata);
        assert_ne!(reach("10$X"), Reach::Metadata);
        assert_eq!(reach("example.com"), Reach::External);
        assert_eq!(reach("$HOST"), Reach::External);
    }

    #[test]
    fn entries_of_lists() {
        for good in ["git.example.org", "*.example.com", "db01", "10.0.0.0/8", "fd00::/8", "::1", "10.0.0.5"] {
            assert!(is_entry(good), "{good}");
        }
        for bad in
            ["", "*", "*.", "**.a", "https://a.example", "a b", "10.0.0.0/33", "10.0.0.0/+8", "a/8", "a..b", "a:80"]
        {
            assert!(!is_entry(bad), "{bad}");
        }
    }

    #[test]
    fn known_hosts_and_networks() {
        let list =
            ["*.example.com".to_owned(), "10.0.0.0/8".to_owned(), "git.example.org".to_owned(), "fd00::/8".to_owned()];
        for host in ["a.example.com", "10.9.8.7", "GIT.example.org", "fd00::5"] {
            assert!(known(host, &list), "{host}");
        }
        for host in ["example.com.evil.net", "11.0.0.1", "example.com", "xexample.com", "::1"] {
            assert!(!known(host, &list), "{host}");
        }
    }
}
