package main

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rsc.io/qr"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/messenger/safety"
)

// photo is a picture of a QR code as a camera takes it: turned, of another size, with a grey light from one side, noise, and a little out of focus.
func photo(t testing.TB, data []byte, degrees, scale float64) image.Image {
	t.Helper()
	code, err := qr.Encode(string(data), qr.L)
	if err != nil {
		t.Fatal(err)
	}
	const side = 700
	r := rand.New(rand.NewSource(1))
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	at := func(x, y float64) float64 { // 0 dark, 1 light
		x, y = x-side/2, y-side/2
		u, v := (x*cos+y*sin)/scale+float64(code.Size)/2, (y*cos-x*sin)/scale+float64(code.Size)/2
		if code.Black(int(math.Floor(u)), int(math.Floor(v))) {
			return 0
		}
		return 1
	}
	out := image.NewGray(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			light := 0.0
			for dy := -1; dy <= 1; dy++ {
				for dx := -1; dx <= 1; dx++ {
					light += at(float64(x+dx), float64(y+dy)) / 9
				}
			}
			shade := 40 + light*170*(0.7+0.3*float64(x)/side) + r.Float64()*20
			out.SetGray(x, y, color.Gray{Y: uint8(min(255, shade))})
		}
	}
	return out
}

// scannable is what a screen shows of a conversation between two people.
func scannable() []byte {
	me, you := safety.Person{ID: []byte("+14155550100")}, safety.Person{ID: []byte("+14155550101")}
	me.Key[3], you.Key[5] = 7, 9
	return safety.New(1, me, you).Scannable()
}

func TestScanPicture(t *testing.T) {
	want := scannable()
	for _, c := range []struct {
		name           string
		degrees, scale float64
	}{{"straight.png", 0, 9}, {"turned.png", 14, 8}, {"upside-down.jpg", 183, 10}, {"small.jpg", -5, 5}} {
		path := filepath.Join(t.TempDir(), c.name)
		var b bytes.Buffer
		var encode func(io.Writer, image.Image) error = png.Encode
		if strings.HasSuffix(c.name, ".jpg") {
			encode = func(w io.Writer, m image.Image) error {
				return jpeg.Encode(w, m, &jpeg.Options{Quality: 60})
			}
		}
		if err := encode(&b, photo(t, want, c.degrees, c.scale)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := scanPicture(path, nil)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %x, %v, want %x", c.name, got, err, want)
		}
		if got, err = scanPicture("-", &b); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s from standard input: %x, %v", c.name, got, err)
		}
	}
}

func TestScanRefuses(t *testing.T) {
	picture := func(m image.Image) string {
		var b bytes.Buffer
		if err := png.Encode(&b, m); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	for _, c := range []struct{ what, in, want string }{
		{"a text", "no picture", "no PNG, JPEG or GIF"},
		{"an empty file", "", "no PNG, JPEG or GIF"},
		{"a picture without a code", picture(image.NewGray(image.Rect(0, 0, 300, 300))), "no QR code can be read in it"},
		{"a cut picture", picture(photo(t, scannable(), 0, 9))[:2000], "not enough pixel data"},
		{"a picture without bound", picture(image.NewGray(image.Rect(0, 0, 20_000, 2600))), "20000 × 2600 pixels, want at most 50 million"},
		{"digits only", picture(photo(t, []byte("12345678901234567890"), 0, 9)), `the QR code in it is another one: it says "12345678901234567890"`},
	} {
		if _, err := scanPicture("-", strings.NewReader(c.in)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.what, err, c.want)
		}
	}
	if _, err := scanPicture(filepath.Join(t.TempDir(), "none"), nil); cli.Code(err) != cli.ExitUsage {
		t.Error(err)
	}
}

// No picture makes the reader of codes fall over.
func FuzzReadCode(f *testing.F) {
	for _, scale := range []float64{3, 9} {
		var b bytes.Buffer
		if err := png.Encode(&b, photo(f, scannable(), 7, scale)); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Add([]byte("GIF89a"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 1<<16 {
			return
		}
		if config, _, err := image.DecodeConfig(bytes.NewReader(raw)); err == nil && config.Width*config.Height > 1<<21 {
			return // slow, and bounded elsewhere
		}
		if code, err := readCode(raw); err == nil && len(code) == 0 {
			t.Error("no bytes and no error")
		}
	})
}
