package files

import (
	"errors"
	"io"
	"net/http"
	"path"
	"sort"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"stoa/internal/httpd"
	"stoa/internal/mesos/mesosjson"
)

// Routes adds the endpoints /files/browse, /files/read, /files/download and /files/debug
// to a router. wrap puts a handler behind the daemon's authentication; nil leaves it open.
func (f *Files) Routes(r *httpd.Router, wrap func(gin.HandlerFunc) gin.HandlerFunc) {
	if wrap == nil {
		wrap = func(h gin.HandlerFunc) gin.HandlerFunc { return h }
	}
	r.Handle("files", "browse", wrap(f.browse))
	r.Handle("files", "read", wrap(f.read))
	r.Handle("files", "download", wrap(f.download))
	r.Handle("files", "debug", wrap(f.showAttached))
}

// Status is the HTTP status that goes with the error.
func (e *Error) Status() int {
	return [...]int{http.StatusBadRequest, http.StatusNotFound, http.StatusInternalServerError}[e.Kind]
}

// Body is the text that goes with the error over HTTP; empty if nothing was found.
func (e *Error) Body() string {
	if e.Kind == NotFound {
		return ""
	}
	return e.Text + ".\n"
}

// Refuse answers with an error of Files.
func Refuse(c *gin.Context, err error) {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Failed, err.Error()}
	}
	httpd.Text(c, e.Status(), e.Body())
}

// asked returns the path parameter, or answers that it is missing.
func asked(c *gin.Context) (map[string]string, bool) {
	q := httpd.Query(c)
	if q["path"] == "" {
		httpd.Text(c, http.StatusBadRequest, "Expecting 'path=value' in query.\n")
		return nil, false
	}
	return q, true
}

// permitted says whether the client may see a path, or answers that it may not.
func (f *Files) permitted(c *gin.Context, path string) bool {
	if f.Allowed(path, httpd.Principal(c)) {
		return true
	}
	httpd.Forbidden(c)
	return false
}

func (f *Files) browse(c *gin.Context) {
	q, ok := asked(c)
	if !ok {
		return
	}
	if !f.permitted(c, q["path"]) {
		return
	}
	list, err := f.List(q["path"])
	if err != nil {
		Refuse(c, err)
		return
	}
	var body []byte
	array := mesosjson.BeginArray(&body)
	for _, info := range list {
		o := array.Object()
		o.String("gid", info.Group)
		o.String("mode", ModeText(info.Mode))
		o.Double("mtime", float64(info.MTime.Unix()))
		o.Int("nlink", int64(info.Links))
		o.String("path", info.Path)
		o.Int("size", info.Size)
		o.String("uid", info.User)
		o.End()
	}
	array.End()
	httpd.JSON(c, body)
}

func (f *Files) read(c *gin.Context) {
	q, ok := asked(c)
	if !ok {
		return
	}
	offset, length := int64(-1), int64(-1)
	for _, p := range []struct {
		name  string
		value *int64
	}{{"offset", &offset}, {"length", &length}} {
		text, ok := q[p.name]
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			httpd.Text(c, http.StatusBadRequest, "Failed to parse "+p.name+": Failed to convert '"+text+"' to number.\n")
			return
		}
		if n < -1 {
			httpd.Text(c, http.StatusBadRequest, "Negative "+p.name+" provided: "+strconv.FormatInt(n, 10)+".\n")
			return
		}
		*p.value = n
	}
	if !f.permitted(c, q["path"]) {
		return
	}
	var from uint64
	if offset == -1 {
		length = 0 // a question for the size
	} else {
		from = uint64(offset)
	}
	size, data, err := f.Read(q["path"], from, length)
	if err != nil {
		Refuse(c, err)
		return
	}
	if offset == -1 {
		offset = size
	}
	var body []byte
	o := mesosjson.BeginObject(&body)
	o.String("data", string(data))
	o.Int("offset", offset)
	o.End()
	httpd.JSON(c, body)
}

func (f *Files) download(c *gin.Context) {
	q, ok := asked(c)
	if !ok {
		return
	}
	if !f.permitted(c, q["path"]) {
		return
	}
	file, size, err := f.Open(q["path"])
	if err != nil {
		var e *Error
		if errors.As(err, &e) && e.Kind == NotFound {
			httpd.NotFound(c)
			return
		}
		Refuse(c, err)
		return
	}
	defer file.Close()
	name := path.Base(file.Name())
	contentType, known := types[path.Ext(name)]
	if !known {
		contentType = "application/octet-stream"
	}
	h := c.Writer.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Disposition", "attachment; filename="+strings.NewReplacer("\r", "", "\n", "").Replace(name))
	h.Set("Content-Length", strconv.FormatInt(size, 10))
	c.Status(http.StatusOK)
	if c.Request.Method == http.MethodHead {
		c.Writer.WriteHeaderNow()
		return
	}
	// The file may grow meanwhile; an error means that the client is gone or the file was cut.
	_, _ = io.CopyN(httpd.Patient(c), file, size)
}

func (f *Files) showAttached(c *gin.Context) {
	if f.debug != nil && !f.debug(httpd.Principal(c)) {
		httpd.Forbidden(c)
		return
	}
	attached := f.Attached()
	names := make([]string, 0, len(attached))
	for name := range attached {
		names = append(names, name)
	}
	sort.Strings(names)
	var body []byte
	o := mesosjson.BeginObject(&body)
	for _, name := range names {
		o.String(name, attached[name])
	}
	o.End()
	httpd.JSON(c, body)
}

// ModeText is a file mode as `ls -l` shows it.
func ModeText(mode uint32) string {
	text := []byte("-rwxrwxrwx")
	switch mode & 0o170000 {
	case 0o040000:
		text[0] = 'd'
	case 0o020000:
		text[0] = 'c'
	case 0o060000:
		text[0] = 'b'
	case 0o010000:
		text[0] = 'p'
	case 0o120000:
		text[0] = 'l'
	case 0o140000:
		text[0] = 's'
	}
	for i := range 9 {
		if mode&(1<<(8-i)) == 0 {
			text[1+i] = '-'
		}
	}
	return string(text)
}
