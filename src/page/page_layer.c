typedef int page_layer_is_empty;
