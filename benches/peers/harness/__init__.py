"""The comparison with other proxies; `benches/peers/run` is its command."""
