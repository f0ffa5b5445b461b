package relational

import (
	"context"
	"time"

	"github.com/countersign-project/countersign/messenger/server/store"
)

// Bits of device.flags.
const (
	flagFetches   = 1
	flagVoice     = 2
	flagVideo     = 4
	flagWebSocket = 8
	flagSPQR      = 16
	flagSenders   = 32
)

func bit(set bool, flag int64) int64 {
	if set {
		return flag
	}
	return 0
}

// attributeFlags are the bits that Attributes own; flagWebSocket belongs to Push.
func attributeFlags(a store.Attributes) int64 {
	return bit(a.FetchesMessages, flagFetches) | bit(a.Voice, flagVoice) | bit(a.Video, flagVideo) |
		bit(a.SPQR, flagSPQR) | bit(a.SenderKeys, flagSenders)
}

func insertDevice(tx Tx, account store.AccountKey, id int, secret []byte, a store.Attributes, day store.Day) (store.DeviceKey, error) {
	var key int64
	err := tx.Query(`INSERT INTO device (account, id, secret, name, registration_id, signaling_key, flags, gcm, apn, voip, created, seen)
		VALUES ($1, $2, $3, $4, $5, $6, $7, '', '', '', $8, $8) RETURNING key`,
		[]any{int64(account), int64(id), secret, a.Name, int64(a.RegistrationID), a.SignalingKey, attributeFlags(a), int64(day)},
		func(scan Scan) error { return scan(&key) })
	return store.DeviceKey(key), err
}

// removeDevices removes all devices of an account and what hangs on them.
func removeDevices(tx Tx, account store.AccountKey) (gone []store.DeviceKey, err error) {
	err = tx.Query(`SELECT key FROM device WHERE account = $1 FOR UPDATE`, []any{int64(account)}, func(scan Scan) error {
		var key int64
		err := scan(&key)
		gone = append(gone, store.DeviceKey(key))
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, d := range gone {
		if err := removeDevice(tx, d); err != nil {
			return nil, err
		}
	}
	return gone, nil
}

func removeDevice(tx Tx, device store.DeviceKey) error {
	for _, sql := range []string{
		`DELETE FROM msg WHERE dev = $1`, `DELETE FROM prekey WHERE dev = $1`,
		`DELETE FROM presence WHERE dev = $1`, `DELETE FROM device WHERE key = $1`,
	} {
		if _, err := tx.Exec(sql, int64(device)); err != nil {
			return err
		}
	}
	return nil
}

// readDevices returns the devices of an account by id, each with its signed prekey.
func readDevices(tx Tx, account store.AccountKey) (out []store.Device, err error) {
	err = tx.Query(`SELECT d.key, d.id, d.secret, d.name, d.registration_id, d.signaling_key, d.flags, d.gcm, d.apn, d.voip, d.created, d.seen, k.id, k.pub, k.sig
		FROM device d LEFT JOIN prekey k ON k.dev = d.key AND k.kind = 3 WHERE d.account = $1 ORDER BY d.id`, []any{int64(account)}, func(scan Scan) error {
		d, err := scanDevice(scan)
		d.Account = account
		out = append(out, d)
		return err
	})
	return out, err
}

func scanDevice(scan Scan) (store.Device, error) {
	var d store.Device
	var key, registration, flags int64
	var signedID *int64
	var signed store.SignedPreKey
	err := scan(&key, &d.ID, &d.Secret, &d.Name, &registration, &d.SignalingKey, &flags, &d.GCM, &d.APN, &d.VoIP,
		&d.Created, &d.Seen, &signedID, &signed.Public, &signed.Signature)
	d.Key, d.RegistrationID = store.DeviceKey(key), uint32(registration)
	d.FetchesMessages, d.Voice, d.Video = flags&flagFetches != 0, flags&flagVoice != 0, flags&flagVideo != 0
	d.WebSocket, d.SPQR, d.SenderKeys = flags&flagWebSocket != 0, flags&flagSPQR != 0, flags&flagSenders != 0
	if signedID != nil {
		signed.ID = uint32(*signedID)
		d.Signed = &signed
	}
	return d, err
}

// AddDevice implements store.Devices.
func (db *DB) AddDevice(ctx context.Context, name, code string, limit int, secret []byte, a store.Attributes, now time.Time) (store.Device, error) {
	var d store.Device
	err := db.decide(ctx, 0, func(tx Tx) error {
		if err := useCode(tx, store.CodeProvision, name, code, now); err != nil {
			return err
		}
		account, err := lockAccount(tx, name)
		if err != nil {
			return err
		}
		have, err := readDevices(tx, account)
		if err != nil {
			return err
		}
		id := store.MasterDevice + 1
		for _, d := range have {
			if d.ID == id {
				id++
			}
		}
		if len(have) >= limit || id > limit {
			return store.ErrTooManyDevices
		}
		day := store.DayOf(now)
		key, err := insertDevice(tx, account, id, secret, a, day)
		d = store.Device{Key: key, Account: account, ID: id, Attributes: a, Secret: secret, Created: day, Seen: day}
		return err
	})
	return d, err
}

// RemoveDevice implements store.Devices.
func (db *DB) RemoveDevice(ctx context.Context, account store.AccountKey, id int) (store.DeviceKey, error) {
	if id == store.MasterDevice {
		return 0, store.ErrMaster
	}
	var key int64
	err := db.decide(ctx, 0, func(tx Tx) error {
		key = 0
		err := tx.Query(`SELECT key FROM device WHERE account = $1 AND id = $2 FOR UPDATE`, []any{int64(account), int64(id)},
			func(scan Scan) error { return scan(&key) })
		if err != nil {
			return err
		}
		if key == 0 {
			return store.ErrNotFound
		}
		return removeDevice(tx, store.DeviceKey(key))
	})
	return store.DeviceKey(key), err
}

// SetAttributes implements store.Devices.
func (db *DB) SetAttributes(ctx context.Context, device store.DeviceKey, a store.Attributes) error {
	return db.found(ctx, int64(device), `UPDATE device SET name = $2, registration_id = $3, signaling_key = $4, flags = (flags & 8) | $5 WHERE key = $1`,
		int64(device), a.Name, int64(a.RegistrationID), a.SignalingKey, attributeFlags(a))
}

// SetPush implements store.Devices.
func (db *DB) SetPush(ctx context.Context, device store.DeviceKey, p store.Push) error {
	return db.found(ctx, int64(device), `UPDATE device SET gcm = $2, apn = $3, voip = $4, flags = (flags & 55) | $5 WHERE key = $1`,
		int64(device), p.GCM, p.APN, p.VoIP, bit(p.WebSocket, flagWebSocket))
}

// SetSecret implements store.Devices.
func (db *DB) SetSecret(ctx context.Context, device store.DeviceKey, secret []byte) error {
	return db.found(ctx, int64(device), `UPDATE device SET secret = $2 WHERE key = $1`, int64(device), secret)
}

// Seen implements store.Devices. It reads first, so that all logins of a day but the first cost no commit.
func (db *DB) Seen(ctx context.Context, device store.DeviceKey, day store.Day) error {
	have := store.Day(-1)
	err := db.engine.Read(ctx, func(tx Tx) error {
		return tx.Query(`SELECT seen FROM device WHERE key = $1`, []any{int64(device)}, func(scan Scan) error { return scan(&have) })
	})
	if err != nil || have >= day {
		return err
	}
	if have < 0 {
		return store.ErrNotFound
	}
	return db.engine.Write(ctx, Change{Key: int64(device), Bytes: 16, Steps: func() []Step {
		args := []any{int64(device), int64(day)}
		return []Step{
			{SQL: `UPDATE device SET seen = $2 WHERE key = $1 AND seen < $2`, Args: args},
			{SQL: `UPDATE account SET seen = $2 WHERE key = (SELECT account FROM device WHERE key = $1) AND seen < $2`, Args: args},
		}
	}})
}
