package attachment

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"

	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/vector"
)

func TestVectors(t *testing.T) {
	for _, v := range vector.All(t, "testdata") {
		t.Run(v.Name, func(t *testing.T) {
			plain, blob := v.Hex("plaintext"), v.Hex("blob")
			p := Pointer{Key: Key(v.Hex("key")), Digest: v.Bytes32("digest"), Size: int64(len(plain))}
			var out bytes.Buffer
			digest, err := encrypt(&out, bytes.NewReader(plain), p.Size, p.Size, p.Key, bytes.NewReader(v.Hex("iv")))
			if err != nil || digest != p.Digest || !bytes.Equal(out.Bytes(), blob) {
				t.Errorf("blob %x, digest %x, %v", out.Bytes(), digest, err)
			}
			if BlobSize(p.Size) != int64(len(blob)) {
				t.Error("blob size", BlobSize(p.Size))
			}
			out.Reset()
			err = Decrypt(&out, bytes.NewReader(blob), p)
			v.Outcome(err)
			if err != nil || !bytes.Equal(out.Bytes(), plain) {
				t.Errorf("plaintext %x, %v", out.Bytes(), err)
			}
			mutate(t, blob, p)
		})
	}
}

// mutate changes, cuts and lengthens a blob: nothing of it may come out.
func mutate(t *testing.T, blob []byte, p Pointer) {
	t.Helper()
	try := func(name string, b []byte, p Pointer) {
		var out bytes.Buffer
		if err := Decrypt(&out, bytes.NewReader(b), p); refusal.Of(err) != refusal.InvalidMessage || out.Len() > 0 {
			t.Errorf("%s: %v, %d bytes came out", name, err, out.Len())
		}
	}
	for i := range blob {
		bad := bytes.Clone(blob)
		bad[i] ^= 0x40
		try(fmt.Sprint("byte ", i), bad, p)
		try(fmt.Sprint("prefix ", i), blob[:i], p)
	}
	try("a byte more", append(bytes.Clone(blob), 0), p)
	for i := range p.Key {
		if i < 32 {
			continue // the cipher's half is bound by what comes out, not by the MAC
		}
		q := p
		q.Key[i] ^= 1
		try(fmt.Sprint("MAC key byte ", i), blob, q)
	}
	q := p
	q.Digest[0] ^= 1
	try("digest", blob, q)
	q = p
	q.Size = -1
	try("size", blob, q)
}

func TestEverySizeAroundTheBoundaries(t *testing.T) {
	key, err := NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{0, 1, 15, 16, 17, 540, 541, 542, 1000, chunkSize - 1, chunkSize, chunkSize + 1, chunkSize + 32, 3*chunkSize + 5} {
		plain := make([]byte, size)
		rand.Read(plain)
		var blob, out bytes.Buffer
		digest, err := Encrypt(&blob, bytes.NewReader(plain), size, key, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if int64(blob.Len()) != BlobSize(Padded(size)) || digest != sha256.Sum256(blob.Bytes()) {
			t.Errorf("%d bytes: blob of %d", size, blob.Len())
		}
		p := Pointer{key, digest, size}
		if err := Decrypt(&out, bytes.NewReader(blob.Bytes()), p); err != nil || !bytes.Equal(out.Bytes(), plain) {
			t.Fatalf("%d bytes: %v", size, err)
		}
		p.Size = Padded(size) + 1
		if err := Decrypt(io.Discard, bytes.NewReader(blob.Bytes()), p); fmt.Sprint(err) != "invalid message: attachment: 1 bytes shorter than its size says" {
			t.Error(err)
		}
	}
}

func TestBuckets(t *testing.T) {
	last, buckets := int64(0), 0
	for size := int64(1); size < 1<<20; size += 1 + size/500 {
		p := Padded(size)
		if p < size || p < last || size > 541 && float64(p) > float64(size)*1.0501+1 {
			t.Fatalf("%d padded to %d", size, p)
		}
		if p != last {
			buckets++
		}
		last = p
	}
	if buckets > 200 {
		t.Errorf("%d buckets up to 1 MiB", buckets)
	}
	if Padded(541) != 541 || Padded(542) != 568 || Padded(568) != 568 || Padded(569) != 596 {
		t.Error(Padded(541), Padded(542), Padded(568), Padded(569))
	}
}

func TestShortSource(t *testing.T) {
	var blob bytes.Buffer
	if _, err := Encrypt(&blob, bytes.NewReader(make([]byte, 99)), 100, Key{}, rand.Reader); !errors.Is(err, errShort) {
		t.Error(err)
	}
	if _, err := Encrypt(&blob, nil, MaxSize+1, Key{}, rand.Reader); err == nil {
		t.Error("too large")
	}
	var longer bytes.Buffer
	digest, err := Encrypt(&longer, bytes.NewReader(make([]byte, 200)), 100, Key{}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := Decrypt(io.Discard, bytes.NewReader(longer.Bytes()), Pointer{Digest: digest, Size: 100}); err != nil {
		t.Error(err)
	}
}

// One blob, two keys, two plaintexts, and digest and MAC hold under both: what the format of all peers lets a sender do. The commitment
// is what tells the two pointers apart.
func TestOneBlobTwoPlaintexts(t *testing.T) {
	a, err := NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b := a
	// The last block must end in good padding under both keys: some 256 tries of the other key.
	var blob bytes.Buffer
	digest, err := encrypt(&blob, bytes.NewReader([]byte("for alice: meet at noon, for sure")), 33, 33, a, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := Pointer{a, digest, 33}
	var forAlice, forBob bytes.Buffer
	if err := Decrypt(&forAlice, bytes.NewReader(blob.Bytes()), p); err != nil {
		t.Fatal(err)
	}
	q := Pointer{b, digest, 32}
	for try := range 1 << 16 {
		forBob.Reset()
		q.Key[0], q.Key[1] = byte(try), byte(try>>8)
		if q.Key == p.Key {
			continue
		}
		if err = Decrypt(&forBob, bytes.NewReader(blob.Bytes()), q); err == nil {
			break
		}
	}
	if err != nil || bytes.Equal(forAlice.Bytes()[:32], forBob.Bytes()) {
		t.Fatal("the test is wrong: the blob opens one way only", err)
	}
	if p.Commitment() == q.Commitment() {
		t.Error("one commitment for two plaintexts")
	}
	for name, change := range map[string]func(p *Pointer){
		"cipher key": func(p *Pointer) { p.Key[31] ^= 1 }, "MAC key": func(p *Pointer) { p.Key[63] ^= 1 },
		"digest": func(p *Pointer) { p.Digest[31] ^= 1 }, "size": func(p *Pointer) { p.Size-- },
	} {
		other := p
		change(&other)
		if other.Commitment() == p.Commitment() {
			t.Errorf("%s is not bound", name)
		}
	}
}

// pipeFile is a blob that can be read again from the start, made anew each time, so that the test holds no file either.
type pipeFile struct {
	t    *testing.T
	size int64
	r    io.Reader
}

func (f *pipeFile) open() {
	r, w := io.Pipe()
	go func() {
		_, err := Encrypt(w, io.LimitReader(zeros{}, f.size), f.size, Key{1}, io.LimitReader(zeros{}, 16))
		w.CloseWithError(err)
	}()
	f.r = r
}

func (f *pipeFile) Read(b []byte) (int, error) { return f.r.Read(b) }
func (f *pipeFile) Seek(int64, int) (int64, error) {
	f.open()
	return 0, nil
}

func TestAHundredMegabytesInConstantMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 300 MB")
	}
	f := &pipeFile{t: t, size: MaxSize}
	f.open()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	f.open()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	if err := Decrypt(io.Discard, f, Pointer{Key{1}, [32]byte(h.Sum(nil)), f.size}); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 2<<20 {
		t.Errorf("%d bytes allocated for a file of 100 MiB", n)
	}
}

func TestKeysDoNotPrint(t *testing.T) {
	k := Key{1, 2, 3}
	if s := fmt.Sprintf("%v%x%+v%#v%s", k, k, Pointer{Key: k}.Key, k, &k); s != "" {
		t.Error(s)
	}
}

func BenchmarkEncrypt16MiB(b *testing.B) {
	const size = 16 << 20
	plain := make([]byte, size)
	b.SetBytes(size)
	for b.Loop() {
		if _, err := Encrypt(io.Discard, bytes.NewReader(plain), size, Key{}, rand.Reader); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzDecrypt(f *testing.F) {
	var blob bytes.Buffer
	digest, _ := Encrypt(&blob, bytes.NewReader([]byte("text")), 4, Key{}, rand.Reader)
	f.Add(blob.Bytes(), digest[:], int64(4))
	f.Fuzz(func(t *testing.T, blob, digest []byte, size int64) {
		p := Pointer{Size: size}
		copy(p.Digest[:], digest)
		if err := Decrypt(io.Discard, bytes.NewReader(blob), p); err != nil && refusal.Of(err) == "" {
			t.Fatal(err)
		}
	})
}
