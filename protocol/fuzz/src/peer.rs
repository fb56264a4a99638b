//! Messages of peers, and the proofs in them.

use std::fmt::Debug;

use bytes::Bytes;
use peerfeed_protocol::merkle::{Hash, RangeProof, verify_consistency, verify_inclusion};
use peerfeed_protocol::peer::message::{
    BlobsHeld, BlobsWanted, Cancel, ChunksFrame, ChunksHeader, Close, EntriesFrame, GetChunks, GetEntries, GetMail,
    HeadPush, Held, Hello, Hold, Kept, Mail, MailCame, Message, MessageType, Open, Opened, Peers, Ping, Put, Reject,
    StateMessage, StoredMessage,
};

/// A type byte and the rest of a frame: what is understood is written so that it is understood as the same.
pub(crate) fn message(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else { return };
    let Some(kind) = MessageType::from_byte(*kind) else { return };
    match kind {
        MessageType::Hello => same::<Hello>(rest),
        MessageType::Open => same::<Open>(rest),
        MessageType::Opened => same::<Opened>(rest),
        MessageType::State => same::<StateMessage>(rest),
        MessageType::GetEntries => same::<GetEntries>(rest),
        MessageType::GetChunks => same::<GetChunks>(rest),
        MessageType::Reject => same::<Reject>(rest),
        MessageType::BlobsWanted => same::<BlobsWanted>(rest),
        MessageType::BlobsHeld => same::<BlobsHeld>(rest),
        MessageType::HeadPush => same::<HeadPush>(rest),
        MessageType::Stored => same::<StoredMessage>(rest),
        MessageType::Peers => same::<Peers>(rest),
        MessageType::Close => same::<Close>(rest),
        MessageType::Cancel => same::<Cancel>(rest),
        MessageType::Put => same::<Put>(rest),
        MessageType::Kept => same::<Kept>(rest),
        MessageType::GetMail => same::<GetMail>(rest),
        MessageType::Mail => same::<Mail>(rest),
        MessageType::MailCame => same::<MailCame>(rest),
        MessageType::Hold => same::<Hold>(rest),
        MessageType::Held => same::<Held>(rest),
        MessageType::Ping | MessageType::Pong => {
            if let Ok(ping) = Ping::decode(rest) {
                assert_eq!(Ping::decode(&ping.encode()), Ok(ping));
            }
        }
        MessageType::Entries => {
            if let Ok(frame) = EntriesFrame::decode(Bytes::copy_from_slice(rest)) {
                assert_eq!(frame.encode(), rest);
                let _ = frame.range();
            }
        }
        MessageType::Chunks => chunks(rest),
    }
}

fn same<M: Message + PartialEq + Debug>(rest: &[u8]) {
    if let Ok(message) = M::decode(rest) {
        assert_eq!(M::decode(&message.encode()), Ok(message));
    }
}

/// The frame of chunks, which is looked into while it is still on its way.
pub(crate) fn chunks(rest: &[u8]) {
    for length in [rest.len() / 2, rest.len()] {
        let _ = ChunksHeader::peek(&rest[..length]);
    }
    if let Ok(ChunksFrame { header, payload }) = ChunksFrame::decode(Bytes::copy_from_slice(rest)) {
        assert_eq!([&header.encode()[..], &payload].concat(), rest);
        let _ = (header.chunks(), header.bytes());
    }
}

/// Four numbers, then hashes: no proof that is made up of them holds by chance, and none makes the verifier run away.
pub(crate) fn proof(bytes: &[u8]) {
    let Some((numbers, rest)) = bytes.split_first_chunk::<32>() else { return };
    let number = |at: usize| u64::from_be_bytes(numbers[8 * at..8 * at + 8].try_into().expect("eight bytes"));
    let hashes: Vec<Hash> = rest.as_chunks::<32>().0.iter().map(|hash| Hash::new(*hash)).collect();
    let Some((root, hashes)) = hashes.split_first() else { return };
    let (index, size, old) = (number(0), number(1), number(2));
    let _ = verify_inclusion(index, size, root, root, hashes);
    let _ = verify_consistency(old, root, size, root, hashes);
    let leaves = usize::try_from(number(3) % 8).expect("small").min(hashes.len());
    let (leaves, proof) = hashes.split_at(leaves);
    if let Ok(proof) = RangeProof::from_hashes(proof.to_vec())
        && let Ok(learnt) = proof.verify(index, leaves, size, root)
    {
        assert!(learnt.len() <= 64 + 2 * leaves.len() + proof.hashes().len());
    }
}
