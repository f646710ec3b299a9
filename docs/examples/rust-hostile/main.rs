use std::fs;
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

fn main() {
    for path in ["/etc/shadow", "/proc/1/environ", "/proc/kcore", "/root/.profile"] {
        if fs::read(path).is_ok() {
            println!("read {path}");
        }
    }
    for path in ["/etc/x", "/usr/x", "/x"] {
        if fs::write(path, "x").is_ok() {
            println!("wrote {path}");
        }
    }
    let address = "192.0.2.1:80".parse().unwrap();
    if TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok() {
        println!("reached {address}");
    }
    // A child that stays behind must not hold up the verdict, and ends with the run.
    let _ = Command::new("sleep").arg("60").spawn();
    println!("contained");
}
