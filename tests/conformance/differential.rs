//! Streams of WebSocket frames, most of them nearly right, to our codec and to tungstenite: see
//! `gatehouse_fuzz::differential` for where they may differ.

use gatehouse_fuzz::differential;
use proptest::prelude::*;

/// One frame, with what may be wrong about it.
#[derive(Clone, Debug)]
struct FrameSpec {
    fin: bool,
    reserved: u8,
    opcode: u8,
    masked_rightly: bool,
    payload: Vec<u8>,
}

impl FrameSpec {
    fn write(&self, masks: bool, out: &mut Vec<u8>) {
        const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
        let masks = masks == self.masked_rightly;
        let mask_bit = if masks { 0x80 } else { 0 };
        out.push(u8::from(self.fin) << 7 | self.reserved << 4 | self.opcode);
        match self.payload.len() {
            short @ 0..126 => out.push(mask_bit | short as u8),
            long => {
                out.push(mask_bit | 126);
                out.extend_from_slice(&(long as u16).to_be_bytes());
            }
        }
        if masks {
            out.extend_from_slice(&KEY);
            let masked = self.payload.iter().zip(KEY.iter().cycle());
            out.extend(masked.map(|(byte, key)| byte ^ key));
        } else {
            out.extend_from_slice(&self.payload);
        }
    }
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => "\\PC{0,20}".prop_map(String::into_bytes),
        2 => prop::collection::vec(any::<u8>(), 0..8),
        1 => (any::<u16>(), "[a-z]{0,5}").prop_map(|(code, reason)| {
            [&code.to_be_bytes()[..], reason.as_bytes()].concat()
        }),
        1 => (990..1020_u16).prop_map(|code| code.to_be_bytes().to_vec()),
        1 => (120..140_usize).prop_map(|length| vec![b'x'; length]),
        1 => (290..310_usize).prop_map(|length| vec![b'y'; length]),
    ]
}

fn frame() -> impl Strategy<Value = FrameSpec> {
    let opcode = prop_oneof![
        8 => prop::sample::select(vec![0_u8, 1, 2]),
        3 => prop::sample::select(vec![8_u8, 9, 10]),
        1 => 0..16_u8,
    ];
    (
        prop::bool::weighted(0.6),
        prop_oneof![20 => Just(0_u8), 1 => 0..8_u8],
        opcode,
        prop::bool::weighted(0.97),
        payload(),
    )
        .prop_map(
            |(fin, reserved, opcode, masked_rightly, payload)| FrameSpec {
                // Control frames are seldom in pieces.
                fin: fin || opcode >= 8,
                reserved,
                opcode,
                masked_rightly,
                payload,
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn both_make_the_same_of_the_same_bytes(
        server in any::<bool>(),
        sizes in any::<[u8; 2]>(),
        frames in prop::collection::vec(frame(), 1..8),
        cut in 0..4_usize,
    ) {
        let mut input = vec![u8::from(!server), sizes[0], sizes[1]];
        for frame in &frames {
            frame.write(server, &mut input);
        }
        input.truncate(input.len() - cut.min(input.len() - 3));
        differential::check(&input);
    }
}
