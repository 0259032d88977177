package files

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"

	"stoa/internal/httpd"
)

// Only those whom allow lets in see what is attached for them; the rest is as before.
func TestFilesForTheEyesOfSome(t *testing.T) {
	f, dir := sandbox(t)
	only := func(principal string) bool { return principal == "ann" }
	if err := f.AttachFor(dir, "/box", only); err != nil {
		t.Fatal(err)
	}
	if err := f.Attach(dir, "/open"); err != nil {
		t.Fatal(err)
	}
	f.AllowDebug(only)
	for who, want := range map[string]int{"ann": http.StatusOK, "bert": http.StatusForbidden, "": http.StatusForbidden} {
		r := httpd.NewRouter("d")
		f.Routes(r, func(h gin.HandlerFunc) gin.HandlerFunc {
			return httpd.Authenticated(func(*gin.Context, string) (string, bool) { return who, true }, "realm", h)
		})
		engine := httpd.NewEngine(nil)
		engine.NoRoute(r.Serve)
		ask := func(path string) int {
			w := httptest.NewRecorder()
			engine.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
			if w.Code == http.StatusForbidden && w.Body.String() != "403 Forbidden." {
				t.Errorf("%s: %s", path, w.Body)
			}
			return w.Code
		}
		for _, path := range []string{
			"/files/browse?path=/box", "/files/browse?path=/box/sub", "/files/browse?path=/box/",
			"/files/read?path=/box/stdout", "/files/download?path=/box/sub/file.txt", "/files/read?path=/box/sub/../stdout", "/files/debug",
		} {
			if got := ask(path); got != want {
				t.Errorf("%q %s: %d, want %d", who, path, got, want)
			}
		}
		if got := ask("/files/read?path=/open/stdout"); got != http.StatusOK {
			t.Errorf("%q /open: %d", who, got)
		}
		if got := ask("/files/browse?path=/elsewhere"); got != http.StatusNotFound {
			t.Errorf("%q /elsewhere: %d", who, got)
		}
	}
}
