typedef int catalogue_layer_is_empty;
