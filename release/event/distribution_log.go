package event

import (
	"fmt"
)

// checkLog holds the rules of the table [log].
func (d Distribution) checkLog(at places) error {
	if d.Log == nil {
		return nil
	}
	place := at.table("[log]", 0)
	if err := checkURL(d.Log.URL); err != nil {
		return fmt.Errorf("%s: url %w", place, err)
	}
	if d.Log.Key == "" {
		return fmt.Errorf("%s: key is missing, want a verifier key such as countersign key new prints", place)
	}
	if (d.Log.Policy == "") == (d.Log.Quorum == 0) {
		return fmt.Errorf("%s: want either quorum or policy", place)
	}
	if _, err := d.LogPolicy(); err != nil {
		return fmt.Errorf("%s: %w", place, err)
	}
	return nil
}
