package files

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stoa/internal/httpd"
)

// sandbox is an attached directory with a secret beside it.
func sandbox(t *testing.T) (f *Files, dir string) {
	t.Helper()
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(base, "box")
	for _, d := range []string{dir, dir + "/sub", dir + "-neighbour"} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for path, content := range map[string]string{
		"secret": "SECRET", "box-neighbour/secret": "SECRET", "box/stdout": "hello\n", "box/sub/file.txt": "sub",
	} {
		if err := os.WriteFile(filepath.Join(base, path), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f = New()
	if err := f.Attach(dir, "/box"); err != nil {
		t.Fatal(err)
	}
	return f, dir
}

func link(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

func TestNothingOutsideIsEverShown(t *testing.T) {
	f, dir := sandbox(t)
	link(t, "../secret", dir+"/up")
	link(t, filepath.Dir(dir), dir+"/parent")
	link(t, "/etc/passwd", dir+"/passwd")
	link(t, dir+"-neighbour/secret", dir+"/neighbour")
	link(t, "loop", dir+"/loop")
	link(t, "/proc/self/root", dir+"/root")
	link(t, dir+"/sub", dir+"/inside")
	for _, path := range []string{
		"/box/up", "/box/parent/secret", "/box/passwd", "/box/neighbour", "/box/loop", "/box/root/etc/passwd",
		"/box/../secret", "/box/sub/../../secret", "/box/./../secret", "/box/..", "/box/../box-neighbour/secret",
		"/box-neighbour/secret", dir + "/stdout", "/etc/passwd", "/", "", "box/stdout", "/box/stdout/x", "/box/none",
		"/box/\x00", "/box/" + strings.Repeat("a/", 3000),
	} {
		if _, data, err := f.Read(path, 0, -1); err == nil {
			t.Errorf("%.60q was read: %q", path, data)
		}
		if list, err := f.List(path); err == nil && len(list) > 0 {
			t.Errorf("%.60q was listed: %v", path, list)
		}
		if file, _, err := f.Open(path); err == nil {
			file.Close()
			t.Errorf("%.60q was opened", path)
		}
	}
	for path, want := range map[string]string{
		"/box/stdout": "hello\n", "/box/sub/file.txt": "sub", "/box/inside/file.txt": "sub", "/box/sub/../stdout": "hello\n",
		"/box/stdout/": "hello\n",
	} {
		if _, data, err := f.Read(path, 0, -1); err != nil || string(data) != want {
			t.Errorf("%s: %q, %v", path, data, err)
		}
	}
}

func TestALinkSwappedInBetweenLeadsNowhere(t *testing.T) {
	f, dir := sandbox(t)
	path := dir + "/race"
	stop := make(chan struct{})
	var swapping sync.WaitGroup
	swapping.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			_ = os.WriteFile(path+".a", []byte("fine"), 0o644)
			_ = os.Rename(path+".a", path)
			_ = os.Symlink("../secret", path+".b")
			_ = os.Rename(path+".b", path)
		}
	})
	for range 3000 {
		if _, data, err := f.Read("/box/race", 0, -1); err == nil && strings.Contains(string(data), "SECRET") {
			t.Fatal("the secret was read")
		}
	}
	close(stop)
	swapping.Wait()
}

func TestPipesAndSocketsDoNotBlock(t *testing.T) {
	f, dir := sandbox(t)
	if err := syscall.Mkfifo(dir+"/pipe", 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", dir+"/s")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, path := range []string{"/box/pipe", "/box/s"} {
		_, _, err := f.Read(path, 0, -1)
		var e *Error
		if !errors.As(err, &e) || e.Kind != Failed {
			t.Errorf("%s: %v", path, err)
		}
	}
	list, err := f.List("/box")
	if err != nil {
		t.Fatal(err)
	}
	modes := map[string]string{}
	for _, info := range list {
		modes[info.Path] = ModeText(info.Mode)
	}
	want := map[string]string{"/box/pipe": "prw-r--r--", "/box/s": modes["/box/s"], "/box/stdout": "-rw-r--r--", "/box/sub": "drwxr-xr-x"}
	if diff := cmp.Diff(want, modes); diff != "" || modes["/box/s"][0] != 's' {
		t.Errorf("modes (-want +got):\n%s", diff)
	}
}

func get(t *testing.T, f *Files, target string) *httptest.ResponseRecorder {
	t.Helper()
	router := httpd.NewRouter("slave(1)")
	f.Routes(router, nil)
	engine := httpd.NewEngine(nil)
	engine.NoRoute(router.Serve)
	w := httptest.NewRecorder()
	engine.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
	return w
}

// TestAnswersAsRecorded holds answers of the original for its own log.
func TestAnswersAsRecorded(t *testing.T) {
	f := New()
	log := filepath.Join(t.TempDir(), "mesos-master.vm.root.log.INFO.20261120-213832.26522")
	content := "Log file created at: 2026/11/20 21:38:32\nRunning on machine: vm\n" + strings.Repeat("x", 9592-64)
	if err := os.WriteFile(log, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := f.Attach(log, "/master/log"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path   string
		status int
		body   string
	}{
		{"/files/browse?path=/master/log", 200, `[]`},
		{"/files/browse?path=/master", 404, ``},
		{"/files/browse", 400, "Expecting 'path=value' in query.\n"},
		{"/files/read?path=/master/log&offset=0&length=60", 200, `{"data":"Log file created at: 2026/11/20 21:38:32\nRunning on machine","offset":0}`},
		{"/files/read?path=/master/log&offset=-1", 200, `{"data":"","offset":9592}`},
		{"/files/read?path=/master/log&offset=-1&length=10", 200, `{"data":"","offset":9592}`},
		{"/files/read?path=/master/log", 200, `{"data":"","offset":9592}`},
		{"/files/read?path=/master/log&offset=5&length=0", 200, `{"data":"","offset":5}`},
		{"/files/read?path=/master/log&offset=5&length=-2", 400, "Negative length provided: -2.\n"},
		{"/files/read?path=/master/log&offset=-2", 400, "Negative offset provided: -2.\n"},
		{"/files/read?path=/master/log&offset=99999999&length=10", 200, `{"data":"","offset":99999999}`},
		{"/files/read?path=/master/log&offset=abc", 400, "Failed to parse offset: Failed to convert 'abc' to number.\n"},
		{"/files/read?path=/master/log&length=abc", 400, "Failed to parse length: Failed to convert 'abc' to number.\n"},
		{"/files/read?path=/master/log/x", 404, ``},
		{"/files/read.json?path=/master/log&offset=0&length=20", 404, `404 Not Found.`},
		{"/files/download?path=/master/log/x", 404, `404 Not Found.`},
		{"/files/download?path=/master/log", 200, content},
		{"/files/debug", 200, `{"/master/log":"` + log + `"}`},
		{"/files/debug?jsonp=cb", 200, `cb({"/master/log":"` + log + `"})`},
	} {
		w := get(t, f, c.path)
		body := c.body
		if strings.Contains(c.path, "length=60") {
			body = `{"data":"` + strings.ReplaceAll(content[:60], "\n", `\n`) + `","offset":0}`
		}
		if w.Code != c.status || w.Body.String() != body {
			t.Errorf("%s: %d %.200q\nwant %d %.200q", c.path, w.Code, w.Body, c.status, body)
		}
	}
	w := get(t, f, "/files/download?path=/master/log")
	if got := w.Header().Get("Content-Disposition"); got != "attachment; filename="+filepath.Base(log) {
		t.Errorf("Content-Disposition: %q", got)
	}
	if got := w.Header().Get("Content-Type"); got != "application/octet-stream" {
		t.Errorf("Content-Type: %q", got)
	}
}

func TestReadsAreLimited(t *testing.T) {
	f, dir := sandbox(t)
	if err := os.WriteFile(dir+"/big", make([]byte, 3*MaxRead), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, length := range []int64{-1, int64(MaxRead) + 1, 1 << 62} {
		size, data, err := f.Read("/box/big", 1, length)
		if err != nil || len(data) != MaxRead || size != int64(3*MaxRead) {
			t.Errorf("length %d: %d of %d bytes, %v", length, len(data), size, err)
		}
	}
	if _, data, err := f.Read("/box/big", 1<<63, -1); err != nil || len(data) != 0 {
		t.Errorf("beyond the end: %d bytes, %v", len(data), err)
	}
}

func TestDirectoriesAreListedButNotRead(t *testing.T) {
	f, _ := sandbox(t)
	if w := get(t, f, "/files/read?offset=0&path=/box"); w.Code != 400 || w.Body.String() != "Cannot read a directory.\n" {
		t.Errorf("read: %d %q", w.Code, w.Body)
	}
	if w := get(t, f, "/files/download?path=/box/sub"); w.Code != 400 || w.Body.String() != "Cannot download a directory.\n" {
		t.Errorf("download: %d %q", w.Code, w.Body)
	}
	f.Detach("/box")
	if w := get(t, f, "/files/browse?path=/box"); w.Code != 404 {
		t.Errorf("after Detach: %d", w.Code)
	}
}

func FuzzPaths(f *testing.F) {
	for _, seed := range []string{"/box/stdout", "/box/../secret", "/box/up", "//box//stdout", "/box/%2e%2e/secret", "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		shown, dir := sandbox(t)
		link(t, "../secret", dir+"/up")
		w := get(t, shown, "/files/read?offset=0&path="+url.QueryEscape(path))
		if strings.Contains(w.Body.String(), "SECRET") {
			t.Fatalf("%q shows the secret", path)
		}
	})
}
