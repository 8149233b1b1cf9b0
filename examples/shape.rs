use stanch::detect::pattern::Pattern;
fn main() {
    for r in &stanch::rulefile::builtin().rules {
        let p = Pattern::new(r).unwrap();
        println!(
            "{:36} {:?} {:?}",
            r.id,
            p.shape.map(|s| (s.starts_with_anchor, s.before, s.after, s.run_within)),
            r.keywords
        );
    }
}
