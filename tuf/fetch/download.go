package fetch

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
)

// bufferSize is all the memory a download of any length takes, besides the source's own.
const bufferSize = 64 << 10

// Download brings the file path, of exactly this length and SHA-256, into the file partial, which then
// is complete, right and synced; the caller moves it to where it belongs. A partial that is there already,
// from this process or an earlier one, is hashed anew and continued. progress may be nil; it is called
// after every buffer.
//
// When no source gives the right bytes the error is an *Error and partial keeps what may be continued
// another time. It never keeps wrong bytes of full length: those are cut to nothing at once. When the bytes
// came from several sources and the sum is wrong, nobody knows who lied; the source in hand is then asked
// once more for everything, from zero and alone, before it is given up. An error of our own disk ends the
// download at once: no other source would help.
//
// A crash at any point leaves a prefix, possibly with holes if the power went too; the sum at the end
// decides. Two downloads must not share one partial: callers hold a lock.
func (c *Courier) Download(ctx context.Context, path string, length int64, sum [32]byte, partial string, progress func(done, total int64)) error {
	if err := checkPath(path); err != nil {
		return err
	}
	d := &download{courier: c, path: path, length: length, sum: sum, progress: progress}
	if err := d.open(partial); err != nil {
		return err
	}
	err := d.run(ctx)
	if cerr := d.file.Close(); err == nil {
		err = cerr
	}
	if err != nil && d.done == 0 {
		os.Remove(partial) // nothing in it
	}
	return err
}

// Who gave the bytes of a download so far, where it is not the index of one source.
const (
	fromNobody  = -1
	fromSeveral = -2 // or an earlier process: we do not know whom
)

type download struct {
	courier  *Courier
	path     string
	length   int64
	sum      [32]byte
	progress func(done, total int64)

	file *os.File
	hash hash.Hash // over the first done bytes of file
	done int64
	from int
}

// diskError is an error of our own file.
type diskError struct{ error }

func (e diskError) Unwrap() error { return e.error }

// open opens or creates the partial file and hashes what is in it.
func (d *download) open(partial string) error {
	if info, err := os.Lstat(partial); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s: is not a regular file (%v)", partial, info.Mode().Type())
	}
	f, err := os.OpenFile(partial, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	d.file, d.hash, d.from = f, sha256.New(), fromSeveral
	// One byte more than wanted, to notice a partial of something longer.
	d.done, err = io.CopyBuffer(d.hash, io.LimitReader(f, d.length+1), make([]byte, bufferSize))
	if err == nil && (d.done == 0 || d.done > d.length) {
		err = d.reset()
	}
	if err != nil {
		f.Close()
	}
	return err
}

// reset forgets all bytes.
func (d *download) reset() error {
	if err := d.file.Truncate(0); err != nil {
		return diskError{err}
	}
	if _, err := d.file.Seek(0, io.SeekStart); err != nil {
		return diskError{err}
	}
	d.hash.Reset()
	d.done, d.from = 0, fromNobody
	return nil
}

// run asks the sources in turn until the bytes are there and right.
func (d *download) run(ctx context.Context) error {
	if d.done == d.length { // complete already, perhaps wrong
		if ok, err := d.finish(); ok || err != nil {
			return err
		}
	}
	left := d.courier.budget()
	ask, _ := d.courier.order(d.path)
	failure := &Error{Path: d.path}
	for n, i := range ask {
		err := d.try(ctx, i, func() *watch { return d.courier.watch(ctx, left.share(len(ask)-n)) })
		if err == nil {
			return nil
		}
		if disk := (diskError{}); errors.As(err, &disk) {
			return disk.error
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", d.path, context.Cause(ctx))
		}
		d.courier.fault(failure, i, err, d.done)
	}
	return failure
}

// try takes from source i what is missing. If the whole is wrong and others had a part in it, it takes
// all from i.
func (d *download) try(ctx context.Context, i int, begin func() *watch) error {
	for {
		if err := d.pull(begin(), i); err != nil {
			return err
		}
		alone := d.from == i
		got := [32]byte(d.hash.Sum(nil))
		ok, err := d.finish()
		if err != nil {
			return err
		}
		if ok {
			d.courier.report(Event{Kind: Served, Source: d.courier.Sources[i].String(), Path: d.path, Done: d.length})
			return nil
		}
		wrong := &SumError{got, d.sum}
		if alone {
			return wrong
		}
		d.courier.report(Event{Kind: Restarted, Source: d.courier.Sources[i].String(), Path: d.path, Err: wrong})
	}
}

// finish checks complete bytes: right ones are synced, wrong ones forgotten.
func (d *download) finish() (ok bool, err error) {
	if [32]byte(d.hash.Sum(nil)) != d.sum {
		return false, d.reset()
	}
	if err := d.file.Sync(); err != nil {
		return false, diskError{err}
	}
	return true, nil
}

// pull reads from source i until the file has its length. It never reads further, so a source that
// appends something loses nothing but its time.
func (d *download) pull(w *watch, i int) error {
	defer w.stop()
	c, src := d.courier, d.courier.Sources[i]
	body, size, start, err := src.Open(w.ctx, d.path, d.done)
	if err != nil {
		return cause(w.ctx, err)
	}
	r := w.body(body)
	defer r.Close()
	switch {
	case size >= 0 && size != d.length:
		return &LengthError{Got: size, Want: d.length}
	case start != 0 && start != d.done:
		return fmt.Errorf("begins at byte %d, want %d", start, d.done)
	case start != d.done: // the source can not resume
		c.report(Event{Kind: Restarted, Source: src.String(), Path: d.path, Err: errors.New("can not resume")})
		if err := d.reset(); err != nil {
			return err
		}
	case d.done > 0:
		c.report(Event{Kind: Resumed, Source: src.String(), Path: d.path, Done: d.done})
	}
	if d.from == fromNobody {
		d.from = i
	} else if d.from != i {
		d.from = fromSeveral
	}
	return d.copy(r)
}

func (d *download) copy(r io.Reader) error {
	buf := make([]byte, bufferSize)
	for d.done < d.length {
		n, err := r.Read(buf[:min(int64(len(buf)), d.length-d.done)])
		if n > 0 {
			if _, err := d.file.Write(buf[:n]); err != nil {
				return diskError{err}
			}
			d.hash.Write(buf[:n])
			d.done += int64(n)
			if d.progress != nil {
				d.progress(d.done, d.length)
			}
		}
		if d.done == d.length {
			break // whatever else it says
		}
		if err == io.EOF {
			return &LengthError{Got: d.done, Want: d.length}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
