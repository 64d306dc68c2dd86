//! Which bugs of other systems would show here. The table is checked: what it names exists.
//!
#![doc = include_str!("../PITFALLS.md")]

#[cfg(test)]
mod tests {
    use crate::simulation::MUTATIONS;
    use crate::simulation::fault::Kind;
    use crate::workload;
    use std::fs;
    use std::path::Path;

    /// The cells of every bug: number, bug, shown by, proved by.
    fn rows() -> Vec<Vec<String>> {
        let table = include_str!("../PITFALLS.md").lines().filter(|line| line.starts_with("| "));
        let rows = table.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect());
        rows.filter(|cells: &Vec<String>| cells[0] != "#").collect()
    }

    fn sources(folder: &Path, text: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target" && name != ".git") {
                sources(&path, text);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&fs::read_to_string(&path).unwrap());
            }
        }
    }

    #[test]
    fn every_bug_has_its_line() {
        let numbers: Vec<usize> = rows().iter().map(|cells| cells[0].parse().unwrap()).collect();
        assert_eq!(numbers, (1..=79).collect::<Vec<_>>());
        assert!(rows().iter().all(|cells| cells.len() == 4 && !cells[3].is_empty()));
    }

    #[test]
    fn workloads_and_faults_are_known() {
        for cells in rows().iter().filter(|cells| !cells[2].is_empty()) {
            let (workloads, faults) = cells[2].split_once(": ").unwrap_or((&cells[2], ""));
            let known = |name: &str| name == "all" || workload::NAMES.contains(&name);
            assert!(workloads.split(", ").all(known), "{cells:?}");
            assert!(faults.split(", ").all(|name| name.is_empty() || Kind::named(name).is_some()), "{cells:?}");
        }
    }

    #[test]
    fn proofs_exist() {
        let mut text = String::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), &mut text);
        for cells in rows() {
            for name in cells[3].split('`').skip(1).step_by(2) {
                let planted = MUTATIONS.iter().any(|mutation| mutation.name == name);
                assert!(planted || text.contains(&format!("fn {name}()")), "{name} proves {cells:?}, but is nowhere");
            }
        }
    }
}
