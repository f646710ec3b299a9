use std::io::{self, Read};

fn main() {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).unwrap();
    let numbers: Vec<i64> = text.split_whitespace().skip(1).map(|w| w.parse().unwrap()).collect();
    let kept = numbers.len().saturating_sub(1);
    println!("{}", numbers[..kept].iter().sum::<i64>());
}
