//! TPC-C's random values: NURand, last names, strings (clauses 2.1.5, 2.1.6, 4.3.2, 4.3.3).

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// The constant C of each NURand, drawn once for a load and once for a run (clause 2.1.6.1).
#[derive(Debug, Clone, Copy)]
pub struct Constants {
    /// For last names, A = 255.
    pub last_name: i64,
    /// For customer ids, A = 1023.
    pub customer: i64,
    /// For items, A = 8191.
    pub item: i64,
}

impl Constants {
    /// The constants of the load with this seed.
    pub fn load(seed: u64) -> Constants {
        let mut rng = StdRng::seed_from_u64(seed ^ 0x10ad);
        Constants {
            last_name: rng.random_range(0..=255),
            customer: rng.random_range(0..=1023),
            item: rng.random_range(0..=8191),
        }
    }

    /// The constants of a run: the last-name one differs from the load's by 65..=119, but not by 96 or 112.
    pub fn run(load: Constants, seed: u64) -> Constants {
        let mut rng = StdRng::seed_from_u64(seed ^ 0x0bea);
        let delta = loop {
            let delta = rng.random_range(65..=119);
            if delta != 96 && delta != 112 {
                break delta;
            }
        };
        // Both constants lie in 0..=255, so exactly one of the two directions may leave the interval.
        let last_name = if load.last_name + delta <= 255 { load.last_name + delta } else { load.last_name - delta };
        Constants {
            last_name: if last_name < 0 { load.last_name + delta } else { last_name },
            customer: rng.random_range(0..=1023),
            item: rng.random_range(0..=8191),
        }
    }
}

/// A terminal's generator.
#[derive(Debug)]
pub struct Random {
    rng: StdRng,
    constants: Constants,
}

impl Random {
    /// The generator of one terminal or loader.
    pub fn new(seed: u64, constants: Constants) -> Random {
        Random { rng: StdRng::seed_from_u64(seed), constants }
    }

    /// Uniform in `low..=high`.
    pub fn uniform(&mut self, low: i64, high: i64) -> i64 {
        self.rng.random_range(low..=high)
    }

    /// True with a chance of `percent` in 100.
    pub fn percent(&mut self, percent: i64) -> bool {
        self.uniform(1, 100) <= percent
    }

    /// Uniform in `0..1`.
    pub fn unit(&mut self) -> f64 {
        self.rng.random()
    }

    fn nurand(&mut self, a: i64, c: i64, low: i64, high: i64) -> i64 {
        (((self.uniform(0, a) | self.uniform(low, high)) + c) % (high - low + 1)) + low
    }

    /// A customer id, 1..=3000.
    pub fn customer(&mut self) -> i64 {
        let c = self.constants.customer;
        self.nurand(1023, c, 1, 3000)
    }

    /// An item id, 1..=100000.
    pub fn item(&mut self) -> i64 {
        let c = self.constants.item;
        self.nurand(8191, c, 1, 100_000)
    }

    /// The last name of a run's customer.
    pub fn last_name(&mut self) -> String {
        let c = self.constants.last_name;
        last_name(self.nurand(255, c, 0, 999))
    }

    /// A string of `low..=high` letters and digits.
    pub fn text(&mut self, low: i64, high: i64) -> String {
        const LETTERS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let length = self.uniform(low, high);
        (0..length).map(|_| char::from(LETTERS[self.rng.random_range(0..LETTERS.len())])).collect()
    }

    /// A string of `low..=high` digits.
    pub fn digits(&mut self, low: i64, high: i64) -> String {
        let length = self.uniform(low, high);
        (0..length).map(|_| char::from(b'0' + self.rng.random_range(0..10u8))).collect()
    }

    /// A zip code (clause 4.3.2.7).
    pub fn zip(&mut self) -> String {
        self.digits(4, 4) + "11111"
    }

    /// Item and stock data: 26..=50 characters, 10 % of them with "ORIGINAL" inside.
    pub fn data(&mut self) -> String {
        let mut data = self.text(26, 50);
        if self.percent(10) {
            let at = self.uniform(0, data.len() as i64 - 8) as usize;
            data.replace_range(at..at + 8, "ORIGINAL");
        }
        data
    }

    /// Shuffles in place (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.rng.random_range(0..=at));
        }
    }
}

/// The last name of a number 0..=999 (clause 4.3.2.3).
pub fn last_name(number: i64) -> String {
    const SYLLABLES: [&str; 10] = ["BAR", "OUGHT", "ABLE", "PRI", "PRES", "ESE", "ANTI", "CALLY", "ATION", "EING"];
    [number / 100, number / 10 % 10, number % 10].iter().map(|&digit| SYLLABLES[digit as usize]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_names_follow_the_clause() {
        assert_eq!(last_name(371), "PRICALLYOUGHT");
        assert_eq!(last_name(40), "BARPRESBAR");
    }

    #[test]
    fn values_stay_in_their_intervals() {
        for seed in 0..50 {
            let load = Constants::load(seed);
            let run = Constants::run(load, seed);
            let delta = (run.last_name - load.last_name).abs();
            assert!((65..=119).contains(&delta) && delta != 96 && delta != 112, "seed {seed}: {delta}");
            assert!((0..=255).contains(&run.last_name));
            let mut random = Random::new(seed, run);
            assert!(
                (0..2000).all(|_| (1..=3000).contains(&random.customer()) && (1..=100_000).contains(&random.item()))
            );
        }
    }
}
