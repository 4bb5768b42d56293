package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"strongroom/api/strictjson"
	"strongroom/identity"
)

// securityName is the name of the signature scheme in the document.
const securityName = "signature"

// register adds an operation to the router and to the document. An empty scope
// makes it public.
func register[I, O any](s *Server, op huma.Operation, scope identity.Scope, handle func(context.Context, *I) (*O, error)) {
	op.Responses = map[string]*huma.Response{"default": problemResponse(s.api)}
	op.MaxBodyBytes = maxBody
	op.BodyReadTimeout = requestTimeout
	if scope != "" {
		op.Security = []map[string][]string{{securityName: {}}}
		op.Description = strings.TrimSpace(op.Description + "\n\nThe key needs the scope `" + string(scope) + "`.")
		op.Middlewares = append(op.Middlewares, s.requireScope(scope))
	}
	if body, ok := reflect.TypeFor[I]().FieldByName("Body"); ok {
		op.Middlewares = append(op.Middlewares, s.requireStrict(strictjson.ShapeOf(body.Type)))
	}
	huma.Register(s.api, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if err == nil {
			return out, nil
		}
		problem, internal := s.problem(err)
		if internal {
			trailOf(ctx).cause = err
		}
		return nil, problem
	})
}

// requireStrict refuses bodies that are not one unambiguous JSON document of the
// operation's shape.
func (s *Server) requireStrict(shape *strictjson.Shape) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		c := humagin.Unwrap(ctx)
		if media, _, err := mime.ParseMediaType(c.GetHeader("Content-Type")); err != nil || media != "application/json" {
			s.fail(c, newProblem(codeMediaType, "the body is not declared as JSON",
				FieldProblem{"header.Content-Type", "is not application/json", "send Content-Type: application/json"}))
			return
		}
		// The framework would take parameters of another encoding for UTF-8.
		c.Request.Header.Set("Content-Type", "application/json")
		err := strictjson.Check(trailOf(c.Request.Context()).body, shape)
		if fault, ok := errors.AsType[*strictjson.Fault](err); ok {
			s.fail(c, newProblem(codeMalformed, fault.Error(), FieldProblem{fault.Location, fault.Message, fault.Fix}))
			return
		}
		next(ctx)
	}
}

// problemResponse documents that any error is a Problem.
func problemResponse(api huma.API) *huma.Response {
	schema := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
	return &huma.Response{
		Description: "A problem (RFC 9457)",
		Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schema}},
	}
}

// humaConfig is the framework without its own pages, links and error shape.
func humaConfig() huma.Config {
	format := huma.Format{Marshal: writeJSON, Unmarshal: json.Unmarshal}
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Strongroom", Version: "1.0.0",
				Description: "Deposits, balances and withdrawals. Amounts are decimal strings in wholes of the asset.",
			},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{securityName: {
					Type: "apiKey", In: "header", Name: "X-Strongroom-Signature",
					Description: "Base64 of HMAC-SHA-256 or Ed25519 over the canonical request; with X-Strongroom-Key, -Timestamp and -Nonce.",
				}},
			},
		},
		Formats:                      map[string]huma.Format{"application/json": format, "json": format},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{asProblem},
	}
}

// asProblem gives every error of an operation the one shape and its instance.
func asProblem(ctx huma.Context, _ string, v any) (any, error) {
	var p Problem
	switch e := v.(type) {
	case *huma.ErrorModel:
		p = *fromHuma(e)
	case *Problem:
		p = *e
	default:
		return v, nil
	}
	t := trailOf(ctx.Context())
	t.code = strings.TrimPrefix(p.Type, problemBase)
	p.Instance = t.requestID
	return p, nil
}

// plain moves the framework's own keyword, a pattern in words, to the description:
// OpenAPI does not know it. What validates has been prepared before.
func plain(s *huma.Schema) {
	if s == nil {
		return
	}
	if s.Description == "" {
		s.Description = s.PatternDescription
	}
	s.PatternDescription = ""
	plain(s.Items)
	for _, p := range s.Properties {
		plain(p)
	}
}

// encodeDocument completes the document and encodes it.
func (s *Server) encodeDocument() ([]byte, error) {
	delete(s.api.OpenAPI().Components.Schemas.Map(), "ErrorModel")  // the framework's own shape,
	delete(s.api.OpenAPI().Components.Schemas.Map(), "ErrorDetail") // which is never sent
	for _, schema := range s.api.OpenAPI().Components.Schemas.Map() {
		plain(schema)
	}
	for _, item := range s.api.OpenAPI().Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			for _, p := range op.Parameters {
				plain(p.Schema)
			}
		}
	}
	document, err := json.MarshalIndent(s.api.OpenAPI(), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("api: encode document: %w", err)
	}
	return document, nil
}

// writeJSON encodes v without escaping what needs no escape in JSON.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	return nil
}

// newBody returns a body that was read before as a body to read.
func newBody(b []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(b)) }

// operation is the part of an operation that each route states.
func operation(opID, method, path, tag, summary, description string) huma.Operation {
	op := huma.Operation{OperationID: opID, Method: method, Path: path, Tags: []string{tag}, Summary: summary, Description: description}
	if method == http.MethodPost {
		op.DefaultStatus = http.StatusCreated
	}
	return op
}
