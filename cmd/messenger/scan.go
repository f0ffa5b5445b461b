package main

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	_ "image/gif"  // formats that scanPicture reads
	_ "image/jpeg" // likewise
	_ "image/png"  // likewise
	"io"
	"os"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"github.com/countersign-project/countersign/cmd/cli"
)

// Limits of a picture with a QR code in it: of its file, and of what it takes in memory. The cameras of telephones stay below.
const (
	maxScanBytes  = 20 << 20
	maxScanPixels = 50_000_000
)

// scanPicture reads the bytes of a QR code from a picture: a PNG, JPEG or GIF file, or - for standard input.
func scanPicture(path string, stdin io.Reader) ([]byte, error) {
	src := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, cli.Usagef("--scan: %v", err)
		}
		defer f.Close()
		src = f
	}
	raw, err := io.ReadAll(io.LimitReader(src, maxScanBytes+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxScanBytes {
		return nil, cli.Usagef("--scan %s: more than %d bytes, want a picture of at most so many", path, maxScanBytes)
	}
	code, err := readCode(raw)
	if err != nil {
		return nil, cli.Hint(fmt.Errorf("--scan %s: %w", path, err), "take the picture closer, straight and in good light; or compare the 60 digits with --digits")
	}
	return code, nil
}

// readCode finds the QR code in a picture and returns its bytes, which are in segments of bytes (ISO/IEC 18004, 7.4.5).
func readCode(raw []byte) (code []byte, err error) {
	config, _, err := image.DecodeConfig(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("no PNG, JPEG or GIF: %w", err)
	}
	if int64(config.Width)*int64(config.Height) > maxScanPixels {
		return nil, fmt.Errorf("a picture of %d × %d pixels, want at most %d million", config.Width, config.Height, maxScanPixels/1_000_000)
	}
	picture, _, err := image.Decode(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
	if err != nil {
		return nil, err
	}
	found, err := qrcode.NewQRCodeReader().Decode(bitmap, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true})
	if err != nil {
		return nil, errors.New("no QR code can be read in it")
	}
	segments, _ := found.GetResultMetadata()[gozxing.ResultMetadataType_BYTE_SEGMENTS].([][]byte)
	for _, s := range segments {
		code = append(code, s...)
	}
	if len(code) == 0 {
		return nil, fmt.Errorf("the QR code in it is another one: it says %.60q", found.GetText())
	}
	return code, nil
}
