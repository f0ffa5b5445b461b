package relational

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/countersign-project/countersign/messenger/server/store"
)

// Register implements store.Accounts.
func (db *DB) Register(ctx context.Context, r store.Registration) (store.Account, []store.DeviceKey, error) {
	var a store.Account
	var gone []store.DeviceKey
	err := db.decide(ctx, 0, func(tx Tx) (err error) {
		gone = nil
		if err := consume(tx, r); err != nil {
			return err
		}
		key, err := lockAccount(tx, r.Name)
		switch {
		case errors.Is(err, store.ErrNotFound):
			key, err = insertAccount(tx, r)
		case err == nil:
			gone, err = takeOver(tx, key, r)
		}
		if err != nil {
			return err
		}
		if _, err := insertDevice(tx, key, store.MasterDevice, r.Secret, r.Attributes, store.DayOf(r.Now)); err != nil {
			return err
		}
		a, err = readAccount(tx, `key = $1`, int64(key))
		return err
	})
	return a, gone, err
}

// consume uses up what proves the right to register.
func consume(tx Tx, r store.Registration) error {
	if r.Code != "" {
		return useCode(tx, store.CodeRegister, r.Name, r.Code, r.Now)
	}
	if r.Invite != (store.InviteHash{}) {
		return useInvite(tx, r.Invite, r.Now)
	}
	return nil
}

// lockAccount returns the key of the account of that name and keeps others from changing it until the transaction ends.
func lockAccount(tx Tx, name string) (store.AccountKey, error) {
	var key int64
	err := tx.Query(`SELECT key FROM account WHERE name = $1 FOR UPDATE`, []any{name}, func(scan Scan) error { return scan(&key) })
	if err == nil && key == 0 {
		err = store.ErrNotFound
	}
	return store.AccountKey(key), err
}

func insertAccount(tx Tx, r store.Registration) (store.AccountKey, error) {
	token, day := store.TokenOf(r.Name), int64(store.DayOf(r.Now))
	var key int64
	err := tx.Query(`INSERT INTO account (name, token, pin, profile_name, avatar, list_serial, created, seen)
		VALUES ($1, $2, $3, '', '', 0, $4, $4) RETURNING key`, []any{r.Name, token[:], r.Pin, day}, func(scan Scan) error { return scan(&key) })
	return store.AccountKey(key), err
}

// takeOver empties an account for its new master device.
func takeOver(tx Tx, key store.AccountKey, r store.Registration) ([]store.DeviceKey, error) {
	gone, err := removeDevices(tx, key)
	if err != nil {
		return nil, err
	}
	_, err = tx.Exec(`UPDATE account SET identity_key = NULL, pin = $2, device_list = NULL, list_serial = 0, seen = $3 WHERE key = $1`,
		int64(key), r.Pin, int64(store.DayOf(r.Now)))
	return gone, err
}

const accountColumns = `SELECT key, name, identity_key, pin, profile_name, avatar, coalesce(username, ''), device_list, list_serial, created, seen FROM account WHERE `

// readAccount reads one account with its devices.
func readAccount(tx Tx, where string, arg any) (store.Account, error) {
	var a store.Account
	var key, serial int64
	err := tx.Query(accountColumns+where, []any{arg}, func(scan Scan) error {
		return scan(&key, &a.Name, &a.IdentityKey, &a.Pin, &a.ProfileName, &a.Avatar, &a.Username, &a.DeviceList, &serial, &a.Created, &a.Seen)
	})
	if err != nil {
		return a, err
	}
	if key == 0 {
		return a, store.ErrNotFound
	}
	a.Key, a.ListSerial = store.AccountKey(key), uint64(serial)
	a.Devices, err = readDevices(tx, a.Key)
	return a, err
}

func (db *DB) account(ctx context.Context, where string, arg any) (a store.Account, err error) {
	err = db.engine.Read(ctx, func(tx Tx) error {
		a, err = readAccount(tx, where, arg)
		return err
	})
	return a, err
}

// Account implements store.Accounts.
func (db *DB) Account(ctx context.Context, name string) (store.Account, error) {
	return db.account(ctx, `name = $1`, name)
}

// AccountOf implements store.Accounts.
func (db *DB) AccountOf(ctx context.Context, account store.AccountKey) (store.Account, error) {
	return db.account(ctx, `key = $1`, int64(account))
}

// ByUsername implements store.Usernames.
func (db *DB) ByUsername(ctx context.Context, username string) (store.Account, error) {
	return db.account(ctx, `username = $1`, username)
}

// DeleteAccount implements store.Accounts.
func (db *DB) DeleteAccount(ctx context.Context, account store.AccountKey) (gone []store.DeviceKey, err error) {
	err = db.decide(ctx, 0, func(tx Tx) (err error) {
		a, err := readAccount(tx, `key = $1 FOR UPDATE`, int64(account))
		if err != nil {
			return err
		}
		if gone, err = removeDevices(tx, account); err != nil {
			return err
		}
		if _, err = tx.Exec(`DELETE FROM code WHERE subject = $1`, a.Name); err != nil {
			return err
		}
		_, err = tx.Exec(`DELETE FROM account WHERE key = $1`, int64(account))
		return err
	})
	return gone, err
}

// Rename implements store.Accounts.
func (db *DB) Rename(ctx context.Context, account store.AccountKey, name, code string, now time.Time) error {
	err := db.decide(ctx, 0, func(tx Tx) error {
		if code != "" {
			if err := useCode(tx, store.CodeRegister, name, code, now); err != nil {
				return err
			}
		}
		token := store.TokenOf(name)
		n, err := tx.Exec(`UPDATE account SET name = $2, token = $3 WHERE key = $1`, int64(account), name, token[:])
		if err == nil && n == 0 {
			err = store.ErrNotFound
		}
		return err
	})
	return taken(err)
}

// taken says ErrTaken for a broken unique constraint.
func taken(err error) error {
	if errors.Is(err, ErrConflict) {
		return store.ErrTaken
	}
	return err
}

// SetProfile implements store.Accounts.
func (db *DB) SetProfile(ctx context.Context, account store.AccountKey, name, avatar string) error {
	return db.found(ctx, int64(account), `UPDATE account SET profile_name = $2, avatar = $3 WHERE key = $1`, int64(account), name, avatar)
}

// SetPin implements store.Accounts.
func (db *DB) SetPin(ctx context.Context, account store.AccountKey, pin string) error {
	return db.found(ctx, int64(account), `UPDATE account SET pin = $2 WHERE key = $1`, int64(account), pin)
}

// SetUsername implements store.Usernames.
func (db *DB) SetUsername(ctx context.Context, account store.AccountKey, username string) error {
	return taken(db.decide(ctx, 0, func(tx Tx) error {
		n, err := tx.Exec(`UPDATE account SET username = $2 WHERE key = $1`, int64(account), nullable(username))
		if err == nil && n == 0 {
			err = store.ErrNotFound
		}
		return err
	}))
}

// SetDeviceList implements store.Accounts.
func (db *DB) SetDeviceList(ctx context.Context, account store.AccountKey, serial uint64, list []byte) error {
	if serial > 1<<62 {
		return fmt.Errorf("%w: serial %d", store.ErrTooLarge, serial)
	}
	return db.decide(ctx, 0, func(tx Tx) error {
		have := int64(-1)
		err := tx.Query(`SELECT list_serial FROM account WHERE key = $1 FOR UPDATE`, []any{int64(account)}, func(scan Scan) error { return scan(&have) })
		switch {
		case err != nil:
			return err
		case have < 0:
			return store.ErrNotFound
		case int64(serial) <= have:
			return fmt.Errorf("device list %d: %w, which is %d", serial, store.ErrStale, have)
		}
		_, err = tx.Exec(`UPDATE account SET device_list = $2, list_serial = $3 WHERE key = $1`, int64(account), list, int64(serial))
		return err
	})
}

// maxTokens bounds one directory request.
const maxTokens = 10_000

// Directory implements store.Accounts.
func (db *DB) Directory(ctx context.Context, tokens []store.DirectoryToken, since store.Day) ([]store.DirectoryEntry, error) {
	if len(tokens) > maxTokens {
		return nil, fmt.Errorf("%w: %d tokens, at most %d", store.ErrTooLarge, len(tokens), maxTokens)
	}
	var out []store.DirectoryEntry
	err := db.engine.Read(ctx, func(tx Tx) error {
		out = nil
		for _, t := range tokens {
			err := tx.Query(`SELECT d.flags FROM account a JOIN device d ON d.account = a.key AND d.id = 1 WHERE a.token = $1 AND a.seen >= $2`,
				[]any{t[:], int64(since)}, func(scan Scan) error {
					var flags int64
					err := scan(&flags)
					out = append(out, store.DirectoryEntry{Token: t, Voice: flags&flagVoice != 0, Video: flags&flagVideo != 0})
					return err
				})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// CountAccounts implements store.Accounts.
func (db *DB) CountAccounts(ctx context.Context) (n int, err error) {
	err = db.engine.Read(ctx, func(tx Tx) error {
		return tx.Query(`SELECT count(*) FROM account`, nil, func(scan Scan) error { return scan(&n) })
	})
	return n, err
}
