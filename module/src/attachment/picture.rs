//! Pictures: how large they are, and their small form.

use std::io::{BufReader, Read, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

/// Longest side of a thumbnail, in pixels.
const SIDE: u32 = 320;
/// Quality of thumbnails without transparency.
const QUALITY: u8 = 80;
/// Bytes that decoding may take for each pixel that is allowed, and beside them. A decoder of JPEG
/// knows no such limit: it takes the whole file, and up to eight bytes more where the picture comes
/// in several passes.
const PIXEL_BYTES: u64 = 4;
const BESIDE_BYTES: u64 = 32 << 20;

/// What is known of a picture.
#[derive(Debug, Default)]
pub(super) struct Picture {
    /// Width and height, as it is shown.
    pub(super) pixels: Option<(u32, u32)>,
    /// PNG if it is transparent, or else JPEG.
    pub(super) thumbnail: Option<Vec<u8>>,
}

/// The picture has more pixels than are taken: what unpacks to that is no picture for anyone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the picture has too many pixels")]
pub(super) struct TooManyPixels;

/// The format of a picture of this type; `None` for what is no picture that is understood.
pub(super) fn format(media_type: &str) -> Option<ImageFormat> {
    match media_type {
        "image/jpeg" => Some(ImageFormat::Jpeg),
        "image/png" => Some(ImageFormat::Png),
        "image/gif" => Some(ImageFormat::Gif),
        "image/webp" => Some(ImageFormat::WebP),
        _ => None,
    }
}

/// Looks at a file of this type. One that is no picture, or whose bytes are not those of one, is a
/// file like any other.
pub(super) fn look(
    file: impl Read + Seek,
    media_type: &str,
    pixels_max: u64,
) -> Result<Picture, TooManyPixels> {
    let Some(format) = format(media_type) else {
        return Ok(Picture::default());
    };
    let bytes_max = pixels_max.saturating_mul(PIXEL_BYTES) + BESIDE_BYTES;
    // Decoders read what strangers have written. One that panics has not understood it.
    let decode = AssertUnwindSafe(|| decode(file, format, pixels_max, bytes_max));
    catch_unwind(decode).unwrap_or_else(|_| {
        tracing::warn!(media_type, "a picture's decoder has panicked");
        Ok(Picture::default())
    })
}

fn decode(
    file: impl Read + Seek,
    format: ImageFormat,
    pixels_max: u64,
    bytes_max: u64,
) -> Result<Picture, TooManyPixels> {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(bytes_max);
    let mut reader = ImageReader::with_format(BufReader::new(file), format);
    reader.limits(limits.clone());
    let Ok(mut decoder) = reader.into_decoder() else {
        return Ok(Picture::default());
    };
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > pixels_max {
        return Err(TooManyPixels);
    }
    let orientation = decoder.orientation();
    // A picture of sixteen bits a colour takes more than its pixels allow. The decoder is left what
    // the picture itself does not take.
    let fits = limits.reserve(decoder.total_bytes()).is_ok() && decoder.set_limits(limits).is_ok();
    let image = fits.then(|| DynamicImage::from_decoder(decoder));
    let Some(Ok(image)) = image else {
        return Ok(Picture {
            pixels: Some((width, height)),
            thumbnail: None,
        });
    };
    // The small one is turned, which is little work; so is what is said of the large one.
    let mut small = match width.max(height) {
        0..=SIDE => image,
        _ => image.thumbnail(SIDE, SIDE),
    };
    let mut pixels = (width, height);
    if let Ok(orientation) = orientation {
        use image::metadata::Orientation as O;
        if matches!(
            orientation,
            O::Rotate90 | O::Rotate270 | O::Rotate90FlipH | O::Rotate270FlipH
        ) {
            pixels = (height, width);
        }
        small.apply_orientation(orientation);
    }
    Ok(Picture {
        pixels: Some(pixels),
        thumbnail: encode(&small),
    })
}

fn encode(small: &DynamicImage) -> Option<Vec<u8>> {
    let mut out = std::io::Cursor::new(Vec::new());
    let written = if small.color().has_alpha() {
        DynamicImage::from(small.to_rgba8()).write_to(&mut out, ImageFormat::Png)
    } else {
        let encoder = JpegEncoder::new_with_quality(&mut out, QUALITY);
        DynamicImage::from(small.to_rgb8()).write_with_encoder(encoder)
    };
    written.ok()?;
    Some(out.into_inner())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{ImageBuffer, Rgba, RgbaImage};

    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut out = Cursor::new(Vec::new());
        let image = RgbaImage::from_pixel(width, height, Rgba([200, 10, 10, 128]));
        image.write_to(&mut out, ImageFormat::Png).unwrap();
        out.into_inner()
    }

    #[test]
    fn a_thumbnail_keeps_the_shape_of_its_picture() {
        let picture = look(Cursor::new(png(1_000, 500)), "image/png", 1 << 20).unwrap();
        assert_eq!(picture.pixels, Some((1_000, 500)));
        let small = image::load_from_memory(&picture.thumbnail.unwrap()).unwrap();
        assert_eq!((small.width(), small.height()), (320, 160));
        assert!(small.color().has_alpha());
    }

    #[test]
    fn a_picture_that_unpacks_to_too_much_is_refused_before_it_is_unpacked() {
        // The header says 65,000 by 65,000, for which 34 bytes are enough.
        let mut bomb = png(1, 1);
        let side = 65_000_u32.to_be_bytes();
        bomb[16..20].copy_from_slice(&side);
        bomb[20..24].copy_from_slice(&side);
        let sum = crc32(&bomb[12..29]);
        bomb[29..33].copy_from_slice(&sum.to_be_bytes());
        let looked = look(Cursor::new(bomb), "image/png", 40_000_000);
        assert_eq!(looked.unwrap_err(), TooManyPixels);
    }

    #[test]
    fn a_picture_that_takes_more_memory_than_it_may_has_no_thumbnail() {
        let image = ImageBuffer::<Rgba<u16>, _>::new(100, 100);
        let mut deep = Cursor::new(Vec::new());
        image.write_to(&mut deep, ImageFormat::Png).unwrap();
        let pixels_max = 100 * 100;
        for (bytes_max, drawn) in [(8 * pixels_max - 1, false), (1 << 20, true)] {
            deep.set_position(0);
            let picture = decode(&mut deep, ImageFormat::Png, pixels_max, bytes_max).unwrap();
            assert_eq!(picture.pixels, Some((100, 100)));
            assert_eq!(picture.thumbnail.is_some(), drawn, "{bytes_max} bytes");
        }
    }

    #[test]
    fn what_is_no_picture_is_a_file() {
        for bytes in [&b"\x89PNG\r\n\x1a\n"[..], b"", &png(8, 8)[..50]] {
            let looked = look(Cursor::new(bytes), "image/png", 1 << 20).unwrap();
            assert!(looked.thumbnail.is_none());
        }
        let looked = look(Cursor::new(png(8, 8)), "text/html", 1 << 20).unwrap();
        assert_eq!(looked.pixels, None);
    }

    /// The sum at the end of a chunk of PNG.
    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0, |sum: u32, byte| {
            (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
                (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg())
            })
        })
    }
}
