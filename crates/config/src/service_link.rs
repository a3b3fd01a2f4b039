//! Variables that Kubernetes sets in each pod for each service of its namespace.

/// Whether it is one: `SHOP_SERVICE_HOST`, `SHOP_SERVICE_PORT[_HTTP]`, `SHOP_PORT=tcp://…`,
/// `SHOP_PORT_80_TCP[_PROTO|_PORT|_ADDR]`. Nobody has written them, and so nobody has made a slip;
/// a service named like the prefix would warn at each start.
pub(crate) fn is_one(name: &str, value: Option<&str>) -> bool {
    if name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
    {
        return true;
    }
    if name.ends_with("_PORT") && value.is_some_and(is_target) {
        return true;
    }
    let Some((_, port)) = name.rsplit_once("_PORT_") else { return false };
    let mut parts = port.split('_');
    let number = parts.next().unwrap_or_default();
    let is_protocol = matches!(parts.next(), Some("TCP" | "UDP" | "SCTP"));
    let is_part = matches!(parts.next(), None | Some("PROTO" | "PORT" | "ADDR"));
    number.parse::<u16>().is_ok() && is_protocol && is_part && parts.next().is_none()
}

fn is_target(value: &str) -> bool {
    ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme))
}
