typedef int http_layer_is_empty;
