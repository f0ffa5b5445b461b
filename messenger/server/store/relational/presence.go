package relational

import (
	"context"
	"time"

	"github.com/countersign-project/countersign/messenger/server/store"
)

// Heartbeat implements store.Presence.
func (db *DB) Heartbeat(ctx context.Context, node string, until time.Time) error {
	_, err := db.one(ctx, 0, `INSERT INTO node (name, until) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET until = excluded.until`, node, ms(until))
	return err
}

// Arrive implements store.Presence.
func (db *DB) Arrive(ctx context.Context, device store.DeviceKey, p store.Place) (store.Place, error) {
	var earlier store.Place
	err := db.engine.Write(ctx, Change{Key: int64(device), Bytes: 16 + len(p.Node), Steps: func() []Step {
		earlier = store.Place{}
		return []Step{
			{SQL: `SELECT node, epoch FROM presence WHERE dev = $1 FOR UPDATE`, Args: []any{int64(device)},
				Each: func(scan Scan) error { return scan(&earlier.Node, &earlier.Epoch) }},
			{SQL: `INSERT INTO presence (dev, node, epoch) VALUES ($1, $2, $3)
				ON CONFLICT (dev) DO UPDATE SET node = excluded.node, epoch = excluded.epoch`, Args: []any{int64(device), p.Node, p.Epoch}},
		}
	}})
	return earlier, err
}

// Leave implements store.Presence.
func (db *DB) Leave(ctx context.Context, device store.DeviceKey, p store.Place) error {
	_, err := db.one(ctx, int64(device), `DELETE FROM presence WHERE dev = $1 AND node = $2 AND epoch = $3`, int64(device), p.Node, p.Epoch)
	return err
}

// Where implements store.Presence.
func (db *DB) Where(ctx context.Context, devices []store.DeviceKey, now time.Time) (map[store.DeviceKey]store.Place, error) {
	ids := make([]int64, len(devices))
	for i, d := range devices {
		ids[i] = int64(d)
	}
	out := make(map[store.DeviceKey]store.Place, len(devices))
	err := db.engine.Read(ctx, func(tx Tx) error {
		clear(out)
		return tx.Query(`SELECT p.dev, p.node, p.epoch FROM presence p JOIN node n ON n.name = p.node WHERE n.until > $2 AND p.dev `+db.dialect.In("$1"),
			[]any{ids, ms(now)}, func(scan Scan) error {
				var dev int64
				var p store.Place
				err := scan(&dev, &p.Node, &p.Epoch)
				out[store.DeviceKey(dev)] = p
				return err
			})
	})
	return out, err
}

// LeaveAll implements store.Presence.
func (db *DB) LeaveAll(ctx context.Context, node string) error {
	return db.engine.Write(ctx, Change{Bytes: 2 * len(node), Steps: func() []Step {
		return []Step{
			{SQL: `DELETE FROM node WHERE name = $1`, Args: []any{node}},
			{SQL: `DELETE FROM presence WHERE node = $1`, Args: []any{node}},
		}
	}})
}
