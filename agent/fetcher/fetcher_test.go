package fetcher_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/agent/executor/reexec"
	"stoa/agent/fetcher"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/parts"
)

func TestMain(m *testing.M) {
	if program := reexec.Lookup(os.Args[0]); program != nil {
		os.Exit(program(context.Background(), os.Args[1:], os.Environ()))
	}
	os.Exit(m.Run())
}

// fetch runs the real fetcher process into a fresh sandbox and gives the sandbox, what it logged, and the error.
func fetch(t *testing.T, config fetcher.Config, uris ...*mesospb.CommandInfo_URI) (sandbox, log string, err error) {
	t.Helper()
	sandbox = t.TempDir()
	config.Logger = slog.New(slog.DiscardHandler)
	f, err := fetcher.New(config)
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	err = f.Fetch(t.Context(), fetcher.Request{
		ContainerID: "c1", Command: &mesospb.CommandInfo{Uris: uris}, Sandbox: sandbox, Stdout: stderr, Stderr: stderr,
	})
	data, readErr := os.ReadFile(stderr.Name())
	if readErr != nil {
		t.Fatal(readErr)
	}
	return sandbox, string(data), err
}

func uri(value string) *mesospb.CommandInfo_URI {
	return &mesospb.CommandInfo_URI{Value: proto.String(value)}
}

func writeFile(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, sandbox, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(sandbox, name))
	if err != nil {
		t.Error(err)
	}
	return string(data)
}

type member struct {
	name, content, link string
	kind                byte
	mode                int64
}

func tarOf(t *testing.T, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		if m.mode == 0 {
			m.mode = 0o644
		}
		if m.kind == 0 {
			m.kind = tar.TypeReg
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: m.kind, Name: m.name, Linkname: m.link, Mode: m.mode, Size: int64(len(m.content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, m.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// piped sends data through a compression program.
func piped(t *testing.T, program string, data []byte) []byte {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		parts.Missing(t, program, "no "+program+" on this machine")
	}
	cmd := exec.Command(program, "-c")
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestArchivesAreExtractedBesideTheirFile(t *testing.T) {
	archive := tarOf(t,
		member{name: "dir/", kind: tar.TypeDir, mode: 0o555},
		member{name: "dir/run.sh", content: "#!/bin/sh\n", mode: 0o755},
		member{name: "./flat", content: "flat"},
		member{name: "link", kind: tar.TypeSymlink, link: "/usr/bin/env"},
		member{name: "hard", kind: tar.TypeLink, link: "flat"},
	)
	for _, test := range []struct {
		name string
		make func(t *testing.T) []byte
	}{
		{"a.tar", func(*testing.T) []byte { return archive }},
		{"a.tgz", func(t *testing.T) []byte { return gzipped(t, archive) }},
		{"a.tar.gz", func(t *testing.T) []byte { return gzipped(t, archive) }},
		{"a.tar.bz2", func(t *testing.T) []byte { return piped(t, "bzip2", archive) }},
		{"a.tbz2", func(t *testing.T) []byte { return piped(t, "bzip2", archive) }},
		{"a.tar.xz", func(t *testing.T) []byte { return piped(t, "xz", archive) }},
		{"a.txz", func(t *testing.T) []byte { return piped(t, "xz", archive) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			sandbox, log, err := fetch(t, fetcher.Config{}, uri("file://"+writeFile(t, test.name, test.make(t))))
			if err != nil {
				t.Fatalf("%v\n%s", err, log)
			}
			if got := read(t, sandbox, "flat"); got != "flat" {
				t.Errorf("flat: %q", got)
			}
			if got := read(t, sandbox, "hard"); got != "flat" {
				t.Errorf("hard: %q", got)
			}
			if stat, err := os.Stat(filepath.Join(sandbox, "dir/run.sh")); err != nil || stat.Mode().Perm() != 0o755 {
				t.Errorf("dir/run.sh: %v, %v", stat, err)
			}
			if target, err := os.Readlink(filepath.Join(sandbox, "link")); err != nil || target != "/usr/bin/env" {
				t.Errorf("link: %q, %v", target, err)
			}
			// Without the cache the archive stays.
			read(t, sandbox, test.name)
			if !strings.Contains(log, "Fetching 'file://") || !strings.Contains(log, "Successfully fetched all URIs into '"+sandbox+"'") {
				t.Errorf("log:\n%s", log)
			}
			if err := os.Chmod(filepath.Join(sandbox, "dir"), 0o755); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestZipAndPlainGzip(t *testing.T) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	header := &zip.FileHeader{Name: "sub/run.sh", Method: zip.Deflate}
	header.SetMode(0o755)
	f, err := w.CreateHeader(header)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(f, "zipped"); err != nil {
		t.Fatal(err)
	}
	link := &zip.FileHeader{Name: "link"}
	link.SetMode(0o777 | fs.ModeSymlink)
	if f, err = w.CreateHeader(link); err == nil {
		_, err = io.WriteString(f, "sub/run.sh")
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	sandbox, log, err := fetch(t, fetcher.Config{},
		uri(writeFile(t, "a.zip", b.Bytes())), uri(writeFile(t, "data.json.gz", gzipped(t, []byte("{}")))))
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	if got := read(t, sandbox, "link"); got != "zipped" {
		t.Errorf("link: %q", got)
	}
	if stat, err := os.Stat(filepath.Join(sandbox, "sub/run.sh")); err != nil || stat.Mode().Perm() != 0o755 {
		t.Errorf("sub/run.sh: %v, %v", stat, err)
	}
	if got := read(t, sandbox, "data.json"); got != "{}" {
		t.Errorf("data.json: %q", got)
	}
}

func TestFlagsOfAURI(t *testing.T) {
	archive := gzipped(t, tarOf(t, member{name: "inside", content: "x"}))
	path := writeFile(t, "a.tgz", archive)
	whole := uri(path)
	whole.Extract = proto.Bool(false)
	runnable := uri("file://localhost" + path)
	runnable.Executable = proto.Bool(true)
	runnable.OutputFile = proto.String("bin/tool.tgz")
	sandbox, log, err := fetch(t, fetcher.Config{}, whole, runnable, uri(writeFile(t, "plain.txt", []byte("plain"))))
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	if _, err := os.Stat(filepath.Join(sandbox, "inside")); err == nil {
		t.Error("extracted although told not to")
	}
	if stat, err := os.Stat(filepath.Join(sandbox, "bin/tool.tgz")); err != nil || stat.Mode().Perm() != 0o755 {
		t.Errorf("bin/tool.tgz: %v, %v", stat, err)
	}
	if read(t, sandbox, "plain.txt") != "plain" || !strings.Contains(log, "Copying instead of extracting resource from URI with 'extract' flag, because it does not seem to be an archive: ") {
		t.Errorf("log:\n%s", log)
	}
}

// TestNothingLeavesTheSandbox has archives that try.
func TestNothingLeavesTheSandbox(t *testing.T) {
	outside := t.TempDir()
	target := filepath.Join(outside, "target")
	for name, members := range map[string][]member{
		"dots":            {{name: "../../evil", content: "x"}},
		"dots inside":     {{name: "a/../../evil", content: "x"}},
		"through a link":  {{name: "out", kind: tar.TypeSymlink, link: outside}, {name: "out/target", content: "x"}},
		"relative link":   {{name: "d/out", kind: tar.TypeSymlink, link: "../../../../../../../.." + outside}, {name: "d/out/target", content: "x"}},
		"hard link":       {{name: "own", kind: tar.TypeLink, link: "../../../../../../etc/passwd"}},
		"absolute link":   {{name: "own", kind: tar.TypeLink, link: "/etc/hostname-that-is-not-there"}},
		"chained links":   {{name: "a", kind: tar.TypeSymlink, link: "."}, {name: "a/b", kind: tar.TypeSymlink, link: "../.."}, {name: "b/target", content: "x"}},
		"a device":        {{name: "null", kind: tar.TypeChar}},
		"dir over a link": {{name: "out", kind: tar.TypeSymlink, link: outside}, {name: "out/", kind: tar.TypeDir}, {name: "out/target", content: "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			sandbox, log, err := fetch(t, fetcher.Config{}, uri(writeFile(t, "a.tar", tarOf(t, members...))))
			if err == nil {
				t.Errorf("no error:\n%s", log)
			}
			if _, err := os.Stat(target); err == nil {
				t.Fatal("something was written outside")
			}
			if _, err := os.Stat(filepath.Join(sandbox, "..", "evil")); err == nil {
				t.Fatal("something was written outside")
			}
		})
	}
	t.Run("a file over a link", func(t *testing.T) {
		sandbox, log, err := fetch(t, fetcher.Config{}, uri(writeFile(t, "a.tar", tarOf(t,
			member{name: "out", kind: tar.TypeSymlink, link: target}, member{name: "out", content: "mine"}))))
		if err != nil {
			t.Fatalf("%v\n%s", err, log)
		}
		if _, err := os.Stat(target); err == nil {
			t.Error("the link was followed")
		}
		if read(t, sandbox, "out") != "mine" {
			t.Error("the link was not replaced")
		}
	})
}

func TestHTTP(t *testing.T) {
	stalled := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved/file":
			http.Redirect(w, r, "/file", http.StatusFound)
		case "/file":
			_, _ = io.WriteString(w, "content")
		case "/stall":
			_, _ = io.WriteString(w, "begin")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-stalled:
			case <-r.Context().Done():
			}
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	defer close(stalled)

	sandbox, log, err := fetch(t, fetcher.Config{}, uri(" "+server.URL+"/moved/file?version=1"))
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	if got := read(t, sandbox, "file?version=1"); got != "content" {
		t.Errorf("content %q", got)
	}

	_, log, err = fetch(t, fetcher.Config{}, uri(server.URL+"/nope"))
	if err == nil || err.Error() != "Failed to fetch all URIs for container 'c1': exited with status 1" {
		t.Errorf("error %v", err)
	}
	if want := "Failed to fetch '" + server.URL + "/nope': Error downloading resource, received HTTP return code 404"; !strings.Contains(log, want) {
		t.Errorf("log without %q:\n%s", want, log)
	}

	_, log, err = fetch(t, fetcher.Config{StallTimeout: 50 * time.Millisecond}, uri(server.URL+"/stall"))
	if err == nil || !strings.Contains(log, "the transfer stalled") {
		t.Errorf("stalled transfer: %v\n%s", err, log)
	}
}

func TestURIsThatCannotBeFetched(t *testing.T) {
	output := func(name string) *mesospb.CommandInfo_URI {
		u := uri("file:///etc/hostname")
		u.OutputFile = proto.String(name)
		return u
	}
	for _, test := range []struct {
		uri        *mesospb.CommandInfo_URI
		error, log string
	}{
		{uri("http://host"), "Could not fetch: Malformed URI (missing path): http://host", ""},
		{uri("http://host/"), "Could not fetch: Malformed URI (missing path): http://host/", ""},
		{uri("http://host/a'b"), "Could not fetch: Illegal characters in URI", ""},
		{uri(`http://host/a\b`), "Could not fetch: Illegal characters in URI", ""},
		{output("/etc/x"), "Could not fetch: URI output file must be within the sandbox directory", ""},
		{output("../x"), "Could not fetch: URI output file must be within the sandbox directory", ""},
		{output(""), "Could not fetch: URI output file path is empty", ""},
		{uri("file://relative/path"), "", "File URI only supports absolute paths"},
		{uri("relative/path"), "", "A relative path was passed for the resource but the Mesos framework home was not specified. Please either provide this config option or avoid using a relative path"},
		{uri("file:///no/such"), "", "Failed to copy '/no/such'"},
		{uri("file:///etc"), "", "not a regular file"},
		{uri("ftp://host/file"), "", "ftp is not supported"},
		{uri("zz://x/y"), "", "Failed to create HDFS client"},
	} {
		_, log, err := fetch(t, fetcher.Config{}, test.uri)
		want := test.error
		if want == "" {
			want = "Failed to fetch all URIs for container 'c1': exited with status 1"
		}
		if err == nil || err.Error() != want || !strings.Contains(log, test.log) {
			t.Errorf("%v: error %v, want %s; log:\n%s", test.uri, err, want, log)
		}
	}
}

func TestRelativeURIsLieInFrameworksHome(t *testing.T) {
	path := writeFile(t, "file", []byte("home"))
	sandbox, log, err := fetch(t, fetcher.Config{FrameworksHome: filepath.Dir(path)}, uri("file"))
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	if read(t, sandbox, "file") != "home" {
		t.Error("wrong content")
	}
}
