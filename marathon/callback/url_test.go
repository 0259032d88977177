package callback

import (
	"net/http"
	"testing"
)

// FuzzURL checks that what is accepted can be asked, and that nothing panics.
func FuzzURL(f *testing.F) {
	f.Add("http://h:8080/a?b=c")
	f.Add("%zz://")
	f.Add("http:")
	f.Fuzz(func(t *testing.T, callback string) {
		_ = redacted(callback)
		if check(callback) != nil {
			return
		}
		if _, err := http.NewRequestWithContext(t.Context(), http.MethodPost, callback, nil); err != nil {
			t.Errorf("%q is accepted: %v", callback, err)
		}
	})
}
