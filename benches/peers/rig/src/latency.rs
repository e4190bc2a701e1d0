//! Latency at a constant rate: requests are due at fixed times, whether earlier ones were answered or
//! not, so that a proxy that stalls does not also slow down the clock that times it.
//!
//! One thread on epoll with the kernel's fine timers (an async runtime's wake once a millisecond, and a
//! thread per connection costs more than the proxy). A request that finds a free connection is timed
//! from its sending, as a late wake-up is not the proxy's doing; one that has to wait for a connection
//! is timed from the moment it was due.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

use crate::tls;

/// The rate and how it is spread.
#[derive(clap::Args)]
pub struct Options {
    /// Proxy under test.
    #[arg(long)]
    to: SocketAddr,
    /// What to ask for.
    #[arg(long, default_value = "/small")]
    path: String,
    /// Requests per second over all connections.
    #[arg(long)]
    rate: f64,
    /// Connections.
    #[arg(long, default_value_t = 64)]
    connections: u64,
    /// For how long.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
}

/// Asks and prints the number of answers and their times in microseconds.
pub fn run(options: &Options) -> crate::Result<()> {
    let mut load = Load::open(options)?;
    // The first requests open the proxy's own connections: they warm up and do not count.
    load.drive(Duration::from_millis(200))?;
    load.times.clear();
    load.drive(Duration::from_secs_f64(options.seconds))?;
    let times = &mut load.times;
    times.sort_unstable();
    let at = |share: f64| {
        let index = (times.len() as f64 * share) as usize;
        times.get(index).copied().unwrap_or_default().as_secs_f64() * 1e6
    };
    println!(
        "{{\"count\":{},\"p50\":{:.1},\"p90\":{:.1},\"p99\":{:.1},\"p999\":{:.1}}}",
        times.len(),
        at(0.5),
        at(0.9),
        at(0.99),
        at(0.999)
    );
    Ok(())
}

struct Load {
    epoll: std::os::fd::OwnedFd,
    connections: Vec<Connection>,
    free: Vec<usize>,
    request: Vec<u8>,
    period: Duration,
    times: Vec<Duration>,
}

struct Connection {
    socket: TcpStream,
    from: Instant,
    buffer: Vec<u8>,
    filled: usize,
}

impl Load {
    fn open(options: &Options) -> crate::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let mut connections = Vec::new();
        for n in 0..options.connections {
            let socket = TcpStream::connect(options.to)?;
            socket.set_nodelay(true)?;
            socket.set_nonblocking(true)?;
            epoll::add(&epoll, &socket, EventData::new_u64(n), EventFlags::IN)?;
            let buffer = vec![0; 16 << 10];
            connections.push(Connection { socket, from: Instant::now(), buffer, filled: 0 });
        }
        Ok(Self {
            epoll,
            free: (0..connections.len()).collect(),
            connections,
            request: format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", options.path, tls::NAME).into(),
            period: Duration::from_secs_f64(1.0 / options.rate),
            times: Vec::with_capacity(1 << 18),
        })
    }

    /// Sends at the rate for a time, then waits for what is still out.
    fn drive(&mut self, time: Duration) -> crate::Result<()> {
        let mut due = Instant::now();
        let (end, limit) = (due + time, due + time + Duration::from_secs(10));
        let mut waiting = VecDeque::new();
        let mut events = Vec::with_capacity(64);
        loop {
            let now = Instant::now();
            while due <= now && due < end {
                match self.free.pop() {
                    Some(n) => self.send(n, Instant::now())?,
                    None => waiting.push_back(due),
                }
                due += self.period;
            }
            if now >= end && self.free.len() == self.connections.len() {
                return Ok(());
            }
            if now >= limit {
                return Err("answers are missing after ten seconds".into());
            }
            let until = if due < end { due } else { limit };
            let wait = Timespec::try_from(until.saturating_duration_since(Instant::now()))?;
            events.clear();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&wait))
            {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                let n = usize::try_from(event.data.u64())?;
                if self.receive(n)? {
                    match waiting.pop_front() {
                        Some(since) => self.send(n, since)?,
                        None => self.free.push(n),
                    }
                }
            }
        }
    }

    fn send(&mut self, n: usize, from: Instant) -> crate::Result<()> {
        let connection = &mut self.connections[n];
        (connection.from, connection.filled) = (from, 0);
        Ok(connection.socket.write_all(&self.request)?)
    }

    /// Reads what there is; `true` when the answer is whole.
    fn receive(&mut self, n: usize) -> crate::Result<bool> {
        let connection = &mut self.connections[n];
        match connection.socket.read(&mut connection.buffer[connection.filled..]) {
            Ok(0) => return Err("closed in the middle of an answer".into()),
            Ok(more) => connection.filled += more,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        let whole = length_of_answer(&connection.buffer[..connection.filled])?;
        if whole.is_none_or(|whole| connection.filled < whole) {
            return Ok(false);
        }
        self.times.push(connection.from.elapsed());
        Ok(true)
    }
}

/// Head and body together, once the head is there.
fn length_of_answer(bytes: &[u8]) -> crate::Result<Option<usize>> {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(head) = response.parse(bytes)? else { return Ok(None) };
    if response.code != Some(200) {
        return Err(format!("status {:?}", response.code).into());
    }
    let length = response.headers.iter().find(|f| f.name.eq_ignore_ascii_case("content-length"));
    let length = length.ok_or("answer without a length")?;
    Ok(Some(head + std::str::from_utf8(length.value)?.parse::<usize>()?))
}
