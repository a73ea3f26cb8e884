//! IDX files: what is accepted is exactly what encodes again to the same bytes.

use elision_cli::data::decoded;
use elision_cli::data::idx::{self, Array};

/// The first byte is the rank that is asked for, the others are the file.
pub(crate) fn run(data: &[u8]) {
    let Some((&rank, file)) = data.split_first() else {
        return;
    };
    let rank = usize::from(rank % 5);
    if let Ok(plain) = decoded(file)
        && let Err(fault) = idx::read(plain, rank)
    {
        assert!(!fault.to_string().contains('\n'), "{fault}");
    }
    match idx::read(file, rank) {
        Ok(array) => {
            assert_eq!(array.data.len(), array.items() * array.item_len());
            assert_eq!(encode(&array), file);
        }
        Err(fault) => assert!(!is_sound(file, rank), "refused: {fault}"),
    }
}

fn encode(array: &Array) -> Vec<u8> {
    let dims = array
        .dims
        .iter()
        .flat_map(|&dim| (dim as u32).to_be_bytes());
    let header = [0, 0, 8, array.dims.len() as u8].into_iter().chain(dims);
    header.chain(array.data.iter().copied()).collect()
}

/// Whether the file has the header of that rank, sizes above zero, and as many bytes as they say.
fn is_sound(file: &[u8], rank: usize) -> bool {
    let header = 4 + 4 * rank;
    if !(1..=3).contains(&rank) || file.len() < header || file[..4] != [0, 0, 8, rank as u8] {
        return false;
    }
    let (dims, _) = file[4..header].as_chunks::<4>();
    let count: u128 = dims
        .iter()
        .map(|dim| u128::from(u32::from_be_bytes(*dim)))
        .product();
    count > 0 && count == (file.len() - header) as u128
}
