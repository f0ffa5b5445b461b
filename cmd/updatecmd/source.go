package updatecmd

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"os"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/update"
	"github.com/countersign-project/countersign/tuf/fetch"
)

// updater is ready to ask the given repositories, the bundle file, or else the distribution's mirrors.
// Call done when it is no longer needed. A process has one at a time: whoever asks while a check by the
// clock goes on waits for its end, or that of ctx, and is not told that another update is running.
func (h *Host) updater(ctx context.Context, file string, repositories []string, way Way) (u *update.Updater, done func(), err error) {
	select {
	case h.asking <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	u, closer, err := h.newUpdater(ctx, file, repositories, way)
	if err != nil {
		<-h.asking
		return nil, nil, err
	}
	return u, func() {
		closer()
		<-h.asking
	}, nil
}

func (h *Host) newUpdater(ctx context.Context, file string, repositories []string, way Way) (u *update.Updater, done func(), err error) {
	u = &update.Updater{Home: h.started.Home, Anchor: h.anchor, Running: h.running(), Now: h.app.Now, Variable: variable}
	done = func() {}
	courier := &fetch.Courier{}
	u.Courier = courier
	if file != "" {
		source, closer, err := bundleSource(file)
		if err != nil {
			return nil, nil, err
		}
		courier.Sources = []fetch.Source{source}
		return u, closer, nil
	}
	if len(repositories) == 0 {
		repositories = shuffled(update.Mirrors(h.started.Home, h.anchor))
	}
	var proxy *url.URL
	if way != nil {
		if proxy, err = way(ctx); err != nil {
			return nil, nil, err
		}
	}
	client := fetch.Client(proxy)
	for _, url := range repositories {
		source, err := fetch.ParseURL(url, client)
		if err != nil {
			return nil, nil, cli.Usagef("%v", err)
		}
		courier.Sources = append(courier.Sources, source)
	}
	return u, done, nil
}

// bundleSource opens a side-loaded update: a tar of a mirror's directory, or the directory itself.
func bundleSource(path string) (fetch.Source, func(), error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if info.IsDir() {
		return fetch.Dir(os.DirFS(path), path), func() {}, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	var fsys fs.FS
	if fsys, err = fetch.Tar(f, info.Size()); err == nil {
		_, err = fs.Stat(fsys, "metadata/timestamp.json")
	}
	if err != nil {
		f.Close()
		return nil, nil, cli.Hint(fmt.Errorf("%s: %w", path, err), "--from-file wants a tar of a mirror's directory, made with 'tar -C mirror -cf bundle.tar .'")
	}
	return fetch.Dir(fsys, path), func() { f.Close() }, nil
}

// shuffled spreads the load over the mirrors, by this computer's own dice.
func shuffled(list []string) []string {
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}
