package update

import (
	"fmt"
	"io"
	"os"

	"github.com/countersign-project/countersign/release/update/home"
	"github.com/countersign-project/countersign/tuf/durable"
)

// stage turns a downloaded file into a version that is ready to run, beside the one that runs: in a
// directory of a temporary name, judged once more from the open file that is then made executable, its
// stamp read, and probed. Only then it gets its name.
func (u *Updater) stage(o offer, repo repository, partial string, probe func(path string) error) (home.File, error) {
	u.report(StepStage, o.version, "checking the file that was fetched")
	tmp := u.Home.Staging(o.version)
	if err := durable.RemoveAll(tmp); err != nil { // of an update that was interrupted
		return home.File{}, err
	}
	if err := durable.MkdirAll(tmp, 0o700); err != nil {
		return home.File{}, err
	}
	file, err := u.assemble(o, repo, partial, tmp)
	if err == nil {
		err = probe(stagedFile(tmp, u.Home))
	}
	if err != nil {
		if rerr := durable.RemoveAll(tmp); rerr != nil {
			return home.File{}, fmt.Errorf("%w (and %v)", err, rerr)
		}
		return home.File{}, err
	}
	// A directory of that name is one that state.json does not know: left by a crash between this rename
	// and the switch, or found damaged. Nothing runs from it.
	if err := durable.RemoveAll(u.Home.Version(o.version)); err != nil {
		return home.File{}, err
	}
	return file, durable.Rename(tmp, u.Home.Version(o.version))
}

func stagedFile(dir string, h home.Home) string { return dir + string(os.PathSeparator) + h.File() }

// assemble fills the staging directory.
func (u *Updater) assemble(o offer, repo repository, partial, tmp string) (home.File, error) {
	path := stagedFile(tmp, u.Home)
	if err := durable.Rename(partial, path); err != nil {
		return home.File{}, err
	}
	file, err := u.rejudge(o, repo, path)
	if err != nil {
		return home.File{}, err
	}
	if err := u.checkStamp(o, path); err != nil {
		return home.File{}, err
	}
	b, err := o.evidence.Encode()
	if err != nil {
		return home.File{}, err
	}
	return file, durable.WriteFile(tmp+string(os.PathSeparator)+"evidence.json", b, 0o600)
}

// rejudge hashes the file and makes it executable through one open file: what was judged is what will
// run, whatever happens to names meanwhile. Somebody who can write into the open file itself is this
// user already; against decay after this moment the hash is checked again at every start.
func (u *Updater) rejudge(o offer, repo repository, path string) (home.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return home.File{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return home.File{}, err
	}
	if !info.Mode().IsRegular() {
		return home.File{}, refusef("%s is not a regular file any more", path)
	}
	length, digest, err := sum(io.LimitReader(f, o.artifact.Length+1))
	if err != nil {
		return home.File{}, err
	}
	if err := u.verdict(o, repo.seen, length, digest).Err(); err != nil {
		return home.File{}, err
	}
	if err := f.Chmod(0o700); err != nil {
		return home.File{}, err
	}
	return home.File{Length: length, SHA256: digest, Channel: o.channel}, f.Sync()
}

// checkStamp compares what the compiler wrote into the file with what it is said to be. The quorum has
// vouched for the bytes; this catches a release in which two files were swapped.
func (u *Updater) checkStamp(o offer, path string) error {
	got, err := readStamp(path)
	if err != nil {
		return refusef("%s %s: %v", u.Home.Program, o.version, err)
	}
	want := stamp{Program: u.Home.Program, OS: u.Running.OS, Arch: u.Running.Arch}
	if got != want {
		return refusef("the file released as %s %s for %s/%s is %s for %s/%s by its own stamp",
			want.Program, o.version, want.OS, want.Arch, got.Program, got.OS, got.Arch)
	}
	return nil
}
