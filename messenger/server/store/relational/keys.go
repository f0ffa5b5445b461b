package relational

import (
	"context"
	"fmt"

	"github.com/countersign-project/countersign/messenger/server/store"
)

// Values of prekey.kind. The last three are one row a device and are never deleted by a fetch.
const (
	kindOneTime         = 1
	kindKyber           = 2
	kindSigned          = 3
	kindLastResort      = 4
	kindKyberLastResort = 5
)

const insertKey = `INSERT INTO prekey (dev, kind, id, pub, sig) VALUES ($1, $2, $3, $4, $5)
	ON CONFLICT (dev, kind, id) DO UPDATE SET pub = excluded.pub, sig = excluded.sig`

// SetKeys implements store.Keys.
func (db *DB) SetKeys(ctx context.Context, device store.DeviceKey, u store.Upload) error {
	if len(u.OneTime) > store.MaxOneTime || len(u.Kyber) > store.MaxOneTime {
		return fmt.Errorf("%w: %d one-time and %d Kyber keys, at most %d each", store.ErrTooLarge, len(u.OneTime), len(u.Kyber), store.MaxOneTime)
	}
	size := 0
	for _, k := range u.OneTime {
		size += len(k.Public) + 8
	}
	for _, k := range u.Kyber {
		size += len(k.Public) + len(k.Signature) + 8
	}
	return db.engine.Write(ctx, Change{Key: int64(device), Bytes: size + 200, Decide: func(tx Tx) error {
		account, err := lockDevice(tx, device)
		if err != nil {
			return err
		}
		if u.IdentityKey != nil {
			if _, err := tx.Exec(`UPDATE account SET identity_key = $2 WHERE key = $1`, account, u.IdentityKey); err != nil {
				return err
			}
		}
		return writeKeys(tx, int64(device), u)
	}})
}

// lockDevice returns the key of the device's account.
func lockDevice(tx Tx, device store.DeviceKey) (account int64, err error) {
	err = tx.Query(`SELECT account FROM device WHERE key = $1 FOR UPDATE`, []any{int64(device)}, func(scan Scan) error { return scan(&account) })
	if err == nil && account == 0 {
		err = store.ErrNotFound
	}
	return account, err
}

func writeKeys(tx Tx, dev int64, u store.Upload) error {
	if u.OneTime != nil {
		keys := make([]store.SignedPreKey, len(u.OneTime))
		for i, k := range u.OneTime {
			keys[i] = store.SignedPreKey{ID: k.ID, Public: k.Public}
		}
		if err := replaceKeys(tx, dev, kindOneTime, keys); err != nil {
			return err
		}
	}
	if u.Kyber != nil {
		if err := replaceKeys(tx, dev, kindKyber, u.Kyber); err != nil {
			return err
		}
	}
	if u.LastResort != nil {
		if err := replaceKeys(tx, dev, kindLastResort, []store.SignedPreKey{{ID: u.LastResort.ID, Public: u.LastResort.Public}}); err != nil {
			return err
		}
	}
	if u.KyberLastResort != nil {
		if err := replaceKeys(tx, dev, kindKyberLastResort, []store.SignedPreKey{*u.KyberLastResort}); err != nil {
			return err
		}
	}
	if u.Signed != nil {
		return replaceKeys(tx, dev, kindSigned, []store.SignedPreKey{*u.Signed})
	}
	return nil
}

func replaceKeys(tx Tx, dev int64, kind int, keys []store.SignedPreKey) error {
	if _, err := tx.Exec(`DELETE FROM prekey WHERE dev = $1 AND kind = $2`, dev, int64(kind)); err != nil {
		return err
	}
	for _, k := range keys {
		if _, err := tx.Exec(insertKey, dev, int64(kind), int64(k.ID), k.Public, k.Signature); err != nil {
			return err
		}
	}
	return nil
}

// SetSigned implements store.Keys.
func (db *DB) SetSigned(ctx context.Context, device store.DeviceKey, k store.SignedPreKey) error {
	return db.SetKeys(ctx, device, store.Upload{Signed: &k})
}

// CountKeys implements store.Keys.
func (db *DB) CountKeys(ctx context.Context, device store.DeviceKey) (oneTime, kyber int, err error) {
	err = db.engine.Read(ctx, func(tx Tx) error {
		oneTime, kyber = 0, 0
		return tx.Query(`SELECT kind, count(*) FROM prekey WHERE dev = $1 AND kind <= 2 GROUP BY kind`, []any{int64(device)}, func(scan Scan) error {
			var kind, n int
			err := scan(&kind, &n)
			if kind == kindOneTime {
				oneTime = n
			} else {
				kyber = n
			}
			return err
		})
	})
	return oneTime, kyber, err
}

// The statement that takes a one-time key: whoever deletes the row owns the key. SKIP LOCKED lets concurrent takers
// pass each other instead of queueing for the same oldest key.
const takeKey = `DELETE FROM prekey WHERE dev = $1 AND kind = $2 AND id = (
	SELECT id FROM prekey WHERE dev = $1 AND kind = $2 ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id, pub, sig`

// What stays: the three single keys, and how many of the others are left.
const fixedKeys = `SELECT kind, id, pub, sig FROM prekey WHERE dev = $1 AND kind >= 3`
const countLeft = `SELECT count(*) FROM (SELECT 1 FROM prekey WHERE dev = $1 AND kind = $2 LIMIT $3) AS t`

// taking collects one device's bundle from the rows of its statements.
type taking struct {
	device          store.DeviceKey
	exists          bool
	oneTime, kyber  *store.SignedPreKey
	fixed           [kindKyberLastResort + 1]*store.SignedPreKey
	left, kyberLeft int
}

// TakeKeys implements store.Keys.
func (db *DB) TakeKeys(ctx context.Context, devices []store.DeviceKey) ([]store.Bundle, error) {
	if len(devices) == 0 {
		return nil, nil
	}
	if len(devices) > store.MaxPage {
		return nil, fmt.Errorf("%w: %d devices, at most %d", store.ErrTooLarge, len(devices), store.MaxPage)
	}
	takings := make([]taking, len(devices))
	err := db.engine.Write(ctx, Change{Key: int64(devices[0]), Bytes: 16 * len(devices), Steps: func() []Step {
		var steps []Step
		for i, d := range devices {
			takings[i] = taking{device: d}
			steps = append(steps, takings[i].steps()...)
		}
		return steps
	}})
	if err != nil {
		return nil, err
	}
	var out []store.Bundle
	for i := range takings {
		if t := &takings[i]; t.exists {
			out = append(out, t.bundle())
			for _, k := range []*store.SignedPreKey{t.oneTime, t.kyber} {
				if k != nil {
					db.taken.Add(1)
				}
			}
		}
	}
	return out, nil
}

func (t *taking) steps() []Step {
	dev := int64(t.device)
	return []Step{
		{SQL: `SELECT 1 FROM device WHERE key = $1`, Args: []any{dev}, Each: func(Scan) error { t.exists = true; return nil }},
		{SQL: takeKey, Args: []any{dev, int64(kindOneTime)}, Each: func(scan Scan) error { return scanKey(scan, &t.oneTime) }},
		{SQL: takeKey, Args: []any{dev, int64(kindKyber)}, Each: func(scan Scan) error { return scanKey(scan, &t.kyber) }},
		{SQL: fixedKeys, Args: []any{dev}, Each: t.scanFixed},
		{SQL: countLeft, Args: []any{dev, int64(kindOneTime), int64(store.LowKeys)}, Each: func(scan Scan) error { return scan(&t.left) }},
		{SQL: countLeft, Args: []any{dev, int64(kindKyber), int64(store.LowKeys)}, Each: func(scan Scan) error { return scan(&t.kyberLeft) }},
	}
}

func scanKey(scan Scan, to **store.SignedPreKey) error {
	var id int64
	var k store.SignedPreKey
	err := scan(&id, &k.Public, &k.Signature)
	k.ID = uint32(id)
	*to = &k
	return err
}

func (t *taking) scanFixed(scan Scan) error {
	var kind, id int64
	var k store.SignedPreKey
	err := scan(&kind, &id, &k.Public, &k.Signature)
	k.ID = uint32(id)
	if kind > 0 && kind < int64(len(t.fixed)) {
		t.fixed[kind] = &k
	}
	return err
}

func (t *taking) bundle() store.Bundle {
	b := store.Bundle{Device: t.device, Signed: t.fixed[kindSigned], Kyber: t.kyber, Left: t.left, KyberLeft: t.kyberLeft}
	oneTime := t.oneTime
	if oneTime == nil {
		oneTime, b.LastResort = t.fixed[kindLastResort], t.fixed[kindLastResort] != nil
	}
	if oneTime != nil {
		b.OneTime = &store.PreKey{ID: oneTime.ID, Public: oneTime.Public}
	}
	if b.Kyber == nil {
		b.Kyber, b.KyberLastResort = t.fixed[kindKyberLastResort], t.fixed[kindKyberLastResort] != nil
	}
	return b
}
