use elision::{sketch::*, *};
use std::time::Instant;
fn med(mut f: impl FnMut(), n: usize) -> f64 {
    let reps = ((1 << 22) / n).max(1);
    let mut t: Vec<f64> = (0..15).map(|_| { let s = Instant::now(); for _ in 0..reps { f() } s.elapsed().as_secs_f64() * 1e9 / (reps * n) as f64 }).collect();
    t.sort_by(f64::total_cmp);
    t[7]
}
fn main() {
    for isa in Isa::available().iter().rev().copied() {
        for n in [1usize << 16, 1 << 20, 1 << 24] {
            let x: Vec<f32> = vec![1.0; n + 16];
            let mut o = vec![1.0f32; n + 16];
            let ax = x.as_ptr().align_offset(64) ;
            let ao = o.as_ptr().align_offset(64) ;
            let x = &x[ax..ax + n];
            let o = &mut o[ao..ao + n];
            let mut w = vec![0u64; n / 64];
            let c = med(|| copy(isa, x, o), n);
            println!("{isa} n={n} copy {c:.4}");
            for p in [0.5, 0.1, 0.3] {
                let d = med(|| draw(isa, Key::new(1), p, &mut w), n);
                let f = med(|| forward(isa, Key::new(1), p, x, o, None), n);
                let fm = med(|| forward(isa, Key::new(1), p, x, o, Some(&mut w)), n);
                let b = med(|| apply(isa, x, o, &w), n);
                println!("   p={p} draw {:.3} fwd {:.3} fwd+mask {:.3} bwd {:.3}", d / c, f / c, fm / c, b / c);
            }
        }
    }
}
