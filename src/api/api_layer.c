typedef int api_layer_is_empty;
