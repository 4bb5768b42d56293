package api

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"
)

//go:embed pages/docs.html pages/docs.css
var pages embed.FS

// docsPolicy lets the page load its own style sheet and nothing else.
const docsPolicy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// docPage is what the page about the interface shows.
type docPage struct {
	Title, Version, Description string
	Groups                      []docGroup
	Problems                    []kind
	ProblemBase                 string
}

type docGroup struct {
	Name       string
	Operations []docOperation
}

type docOperation struct {
	ID, Method, Path, Summary string
	Paragraphs                []string
	Signed                    bool
	Params                    []docField
	Body, Answer              []docField
	Status, Example           string
}

type docField struct {
	Name, Place, Type, Text string
	Required                bool
}

// documentPages renders the page once and serves it with the document.
func (s *Server) documentPages() error {
	page, err := template.ParseFS(pages, "pages/docs.html")
	if err != nil {
		return fmt.Errorf("api: read page: %w", err)
	}
	style, err := pages.ReadFile("pages/docs.css")
	if err != nil {
		return fmt.Errorf("api: read style: %w", err)
	}
	var html bytes.Buffer
	if err := page.Execute(&html, s.describe()); err != nil {
		return fmt.Errorf("api: render page: %w", err)
	}
	s.engine.GET("/openapi.json", static("application/vnd.oai.openapi+json;version=3.1", s.document))
	s.engine.GET("/docs", static("text/html; charset=utf-8", html.Bytes()))
	s.engine.GET("/docs/docs.css", static("text/css; charset=utf-8", style))
	return nil
}

func static(media string, content []byte) gin.HandlerFunc {
	return func(c *gin.Context) {
		c.Header("Content-Security-Policy", docsPolicy)
		c.Header("Cache-Control", "no-cache")
		c.Data(http.StatusOK, media, content)
	}
}

// describe turns the document into what the page shows.
func (s *Server) describe() docPage {
	doc := s.api.OpenAPI()
	page := docPage{
		Title: doc.Info.Title, Version: doc.Info.Version, Description: doc.Info.Description,
		Problems: kinds(), ProblemBase: problemBase,
	}
	for path, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			at := slices.IndexFunc(page.Groups, func(g docGroup) bool { return g.Name == op.Tags[0] })
			if at < 0 {
				at = len(page.Groups)
				page.Groups = append(page.Groups, docGroup{Name: op.Tags[0]})
			}
			page.Groups[at].Operations = append(page.Groups[at].Operations, describeOperation(doc, path, op))
		}
	}
	for _, g := range page.Groups {
		slices.SortFunc(g.Operations, func(a, b docOperation) int {
			return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Method, b.Method))
		})
	}
	slices.SortFunc(page.Groups, func(a, b docGroup) int { return strings.Compare(a.Name, b.Name) })
	return page
}

func describeOperation(doc *huma.OpenAPI, path string, op *huma.Operation) docOperation {
	out := docOperation{ID: op.OperationID, Method: op.Method, Path: path, Summary: op.Summary, Signed: len(op.Security) > 0}
	for text := range strings.SplitSeq(op.Description, "\n\n") {
		if text != "" {
			out.Paragraphs = append(out.Paragraphs, strings.ReplaceAll(text, "`", ""))
		}
	}
	for _, p := range op.Parameters {
		out.Params = append(out.Params, docField{p.Name, p.In, typeName(doc, p.Schema), cmp.Or(p.Description, p.Schema.Description), p.Required})
	}
	if op.RequestBody != nil {
		schema := op.RequestBody.Content["application/json"].Schema
		out.Body = members(doc, schema, "")
		out.Example = example(doc, schema)
	}
	for status, r := range op.Responses {
		if status == "default" {
			continue
		}
		out.Status = status
		if media := r.Content["application/json"]; media != nil {
			out.Answer = members(doc, media.Schema, "")
		}
	}
	return out
}

// maxNesting bounds how deep members of members are listed.
const maxNesting = 3

// members lists an object's members, those of nested ones below their parent.
func members(doc *huma.OpenAPI, schema *huma.Schema, prefix string) []docField {
	schema = resolve(doc, schema)
	names := make([]string, 0, len(schema.Properties))
	for name := range schema.Properties {
		names = append(names, name)
	}
	required := func(name string) bool { return slices.Contains(schema.Required, name) }
	slices.SortFunc(names, func(a, b string) int {
		if required(a) != required(b) {
			return map[bool]int{true: -1, false: 1}[required(a)]
		}
		return strings.Compare(a, b)
	})
	var out []docField
	for _, name := range names {
		p := schema.Properties[name]
		out = append(out, docField{prefix + name, "", typeName(doc, p), cmp.Or(p.Description, resolve(doc, p).Description), required(name)})
		inner, suffix := resolve(doc, p), "."
		if inner.Items != nil {
			inner, suffix = resolve(doc, inner.Items), "[]."
		}
		if len(inner.Properties) > 0 && strings.Count(prefix, ".") < maxNesting {
			out = append(out, members(doc, inner, prefix+name+suffix)...)
		}
	}
	return out
}

func resolve(doc *huma.OpenAPI, s *huma.Schema) *huma.Schema {
	if s.Ref != "" {
		return doc.Components.Schemas.SchemaFromRef(s.Ref)
	}
	return s
}

func typeName(doc *huma.OpenAPI, s *huma.Schema) string {
	s = resolve(doc, s)
	name := s.Type
	if s.Format != "" && s.Type == "string" {
		name = s.Format
	}
	if s.Items != nil {
		name = "list of " + typeName(doc, s.Items)
	}
	if len(s.Enum) > 0 {
		values := make([]string, len(s.Enum))
		for i, v := range s.Enum {
			values[i] = fmt.Sprint(v)
		}
		name = strings.Join(values, " | ")
	}
	return name
}

// example writes a body with the members that must be there.
func example(doc *huma.OpenAPI, s *huma.Schema) string {
	samples := map[string]any{
		"asset": "BTC", "amount": "0.05", "to": "bcrt1q…", "name": "Ada Lovelace", "state": "frozen",
		"market": "BTC-USDC", "side": "buy", "type": "limit", "direction": "to_trading", "depositsToTrading": true,
		"scheme": "hmac-sha256", "scopes": []string{"read", "withdraw"},
	}
	body := map[string]any{}
	for _, name := range resolve(doc, s).Required {
		body[name] = samples[name]
	}
	text, err := json.Marshal(body)
	if err != nil {
		return "{}"
	}
	return string(text)
}
